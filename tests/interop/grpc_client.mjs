// Makes calls of gRPC and gRPC-Web with several clients, and says how each has read the answers.
//
// Reads {"client", "path", "calls": [{"name", "url", "metadata"}]} from stdin, and writes an object with the
// code, the message, the metadata and the answer of each call.

import { text } from "node:stream/consumers";

const given = JSON.parse(await text(process.stdin));
const [, service, method] = given.path.split("/");
const [client, form] = given.client.split(" ");
const clients = { "grpc-js": grpcJs, "connect-web": connectWeb, "protobuf-ts": protobufTs };

const call = await clients[client]();
const read = {};
for (const { name, url, metadata } of given.calls) read[name] = await call(url, metadata);
process.stdout.write(JSON.stringify(read));

function refused(code, message, metadata) {
  return { code, message, metadata: Object.fromEntries(metadata) };
}

function answered({ id, owner }) {
  return { code: 0, message: "", metadata: {}, answer: { id: id.toString(), owner } };
}

async function grpcJs() {
  const { Client, Metadata, credentials } = await import("@grpc/grpc-js");
  const order = (message) => ({ id: message[1], owner: message.subarray(4).toString() });
  return (url, metadata) =>
    new Promise((resolve) => {
      const client = new Client(url.replace("http://", ""), credentials.createInsecure(), {
        "grpc.enable_http_proxy": 0,
      });
      const sent = new Metadata();
      for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
      const request = Buffer.from([0x08, 0x03]);
      const options = { deadline: Date.now() + 10_000 };
      client.makeUnaryRequest(given.path, (bytes) => bytes, order, request, sent, options, (error, answer) => {
        client.close();
        if (!error) return resolve(answered(answer));
        const names = Object.keys(error.metadata.getMap());
        const values = names.map((name) => [name, error.metadata.get(name).join(", ")]);
        resolve(refused(error.code, error.details, values));
      });
    });
}

async function connectWeb() {
  const { ConnectError, createClient } = await import("@connectrpc/connect");
  const { createGrpcWebTransport } = await import("@connectrpc/connect-web");
  const { create, createFileRegistry } = await import("@bufbuild/protobuf");
  const { FieldDescriptorProto_Type: Type, FileDescriptorProtoSchema, FileDescriptorSetSchema } =
    await import("@bufbuild/protobuf/wkt");
  const LABEL_OPTIONAL = 1;
  const field = (name, number, type) => ({ name, number, type, label: LABEL_OPTIONAL, jsonName: name });
  const [packageName, serviceName] = [service.slice(0, service.lastIndexOf(".")), service.split(".").pop()];
  const file = create(FileDescriptorProtoSchema, {
    name: "shop.proto",
    package: packageName,
    syntax: "proto3",
    messageType: [
      { name: "GetRequest", field: [field("id", 1, Type.UINT64)] },
      { name: "Order", field: [field("id", 1, Type.UINT64), field("owner", 2, Type.STRING)] },
    ],
    service: [
      {
        name: serviceName,
        method: [
          { name: method, inputType: `.${packageName}.GetRequest`, outputType: `.${packageName}.Order` },
        ],
      },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const orders = registry.getService(service);
  return async (baseUrl, headers) => {
    const client = createClient(orders, createGrpcWebTransport({ baseUrl }));
    try {
      return answered(await client.get({ id: 3n }, { headers, timeoutMs: 10_000 }));
    } catch (error) {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      return refused(code, rawMessage, metadata);
    }
  };
}

async function protobufTs() {
  const { GrpcWebFetchTransport, GrpcStatusCode } = await import("@protobuf-ts/grpcweb-transport");
  const { MessageType, ScalarType, LongType } = await import("@protobuf-ts/runtime");
  const { ServiceType } = await import("@protobuf-ts/runtime-rpc");
  const id = { no: 1, name: "id", kind: "scalar", T: ScalarType.UINT64, L: LongType.BIGINT };
  const owner = { no: 2, name: "owner", kind: "scalar", T: ScalarType.STRING };
  const request = new MessageType("shop.v1.GetRequest", [id]);
  const order = new MessageType("shop.v1.Order", [id, owner]);
  const { methods } = new ServiceType(service, [{ name: method, options: {}, I: request, O: order }]);
  return async (baseUrl, meta) => {
    const transport = new GrpcWebFetchTransport({ baseUrl, format: form, timeout: 10_000 });
    try {
      return answered(await transport.unary(methods[0], { id: 3n }, transport.mergeOptions({ meta })).response);
    } catch (error) {
      const values = Object.entries(error.meta).map(([name, value]) => [name, [value].flat().join(", ")]);
      return refused(GrpcStatusCode[error.code], error.message, values);
    }
  };
}
