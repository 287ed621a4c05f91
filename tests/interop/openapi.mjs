// Checks documents of OpenAPI against the schemas of their versions.

import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const documents = JSON.parse(readFileSync(0, "utf8"));
for (const document of documents) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  if (!valid) {
    console.error(JSON.stringify(errors, null, 2));
    process.exit(1);
  }
  console.log(validator.version);
}
