"""Makes calls of gRPC with grpcio, and says how it has read each answer.

Reads {"path", "calls": [{"name", "url", "metadata"}]} from stdin, and writes an object with the code, the
message, the metadata and the answer of each call.
"""

import json
import sys

import grpc

given = json.load(sys.stdin)


def order(message):
    """The fields `id` (a varint below 128) and `owner` of an order."""
    assert message[0] == 0x08 and message[2] == 0x12 and len(message) == 4 + message[3]
    return {"id": str(message[1]), "owner": message[4:].decode()}


def made(call):
    address = call["url"].removeprefix("http://")
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        get = channel.unary_unary(
            given["path"],
            request_serializer=lambda message: message,
            response_deserializer=order,
        )
        try:
            answer = get(b"\x08\x03", metadata=tuple(call["metadata"].items()), timeout=10)
            return {"code": 0, "message": "", "metadata": {}, "answer": answer}
        except grpc.RpcError as error:
            metadata = {}
            for key, value in [*error.initial_metadata(), *error.trailing_metadata()]:
                metadata[key] = f"{metadata[key]}, {value}" if key in metadata else value
            return {"code": error.code().value[0], "message": error.details(), "metadata": metadata}


json.dump({call["name"]: made(call) for call in given["calls"]}, sys.stdout)
