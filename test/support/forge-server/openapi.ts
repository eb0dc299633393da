// Holds requests and responses to an OpenAPI (Swagger 2.0) document, as far as that of Gitea uses it. Stricter than
// the real server: a name that the document does not know is a violation, because it is a mistake of ours.
import * as v from "valibot";
import { bestMatch, pathTemplate, type PathTemplate } from "./path-template.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
}

const Schema: v.GenericSchema<Schema> = v.object({
  $ref: v.optional(v.string()),
  type: v.optional(v.string()),
  format: v.optional(v.string()),
  enum: v.optional(v.array(v.unknown())),
  items: v.optional(v.lazy(() => Schema)),
  properties: v.optional(
    v.record(
      v.string(),
      v.lazy(() => Schema),
    ),
  ),
  required: v.optional(v.array(v.string())),
  additionalProperties: v.optional(v.lazy(() => Schema)),
});

const Parameter = v.object({
  name: v.string(),
  in: v.picklist(["path", "query", "body", "formData", "header"]),
  required: v.optional(v.boolean(), false),
  type: v.optional(v.string()),
  enum: v.optional(v.array(v.unknown())),
  schema: v.optional(Schema),
});
type Parameter = v.InferOutput<typeof Parameter>;

const ResponseObject = v.object({ $ref: v.optional(v.string()), schema: v.optional(Schema) });

const OperationObject = v.object({
  parameters: v.optional(v.array(Parameter), []),
  responses: v.record(v.string(), ResponseObject),
});
type OperationObject = v.InferOutput<typeof OperationObject>;

const Document = v.object({
  swagger: v.literal("2.0"),
  basePath: v.string(),
  paths: v.record(v.string(), v.record(v.string(), OperationObject)),
  definitions: v.record(v.string(), Schema),
  responses: v.record(v.string(), ResponseObject),
});

export interface CheckedRequest {
  readonly method: string;
  /** Below the API's root, as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The JSON value; undefined when there was none. */
  readonly json: unknown;
  /** Names of the fields of a form, with whether each is a file. */
  readonly form: ReadonlyMap<string, boolean> | undefined;
}

export interface Contract {
  /** What is wrong with a request, each in a sentence; nothing when it fits. */
  request(request: CheckedRequest): readonly string[];
  response(request: CheckedRequest, status: number, json: unknown): readonly string[];
}

/** Come from what stands before the handlers, or are the server's own fault: no operation declares them all. */
const anywhere = new Set([401, 403, 429, 500, 502, 503, 504]);

/** @throws when this is no such document. */
export function createContract(document: unknown): Contract {
  const { paths, definitions, responses } = v.parse(Document, document);
  const operations = Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      return { method: method.toUpperCase(), operation, path: pathTemplate(template) };
    }),
  );
  const find = ({ method, path }: CheckedRequest) =>
    bestMatch<{ method: string; operation: OperationObject; path: PathTemplate }>(
      operations.filter((each) => each.method === method),
      path,
    );
  const check = (schema: Schema, value: unknown, at: string): string[] =>
    checkValue(definitions, schema, value, at);
  return {
    request(request) {
      const found = find(request);
      if (found === undefined) return [`${request.method} ${request.path} is not in the document`];
      const { parameters } = found.item.operation;
      return [
        ...checkNamed(parameters, "path", new Map(Object.entries(found.values))),
        ...checkNamed(parameters, "query", new Map(request.query.entries())),
        ...checkBody(parameters, request, check),
        ...checkForm(parameters, request),
      ].map((problem) => `${request.method} ${request.path}: ${problem}`);
    },
    response(request, status, json) {
      const found = find(request);
      if (found === undefined) return [];
      const declared = found.item.operation.responses[String(status)];
      const at = `${request.method} ${request.path} answered ${status}`;
      if (declared === undefined) return anywhere.has(status) ? [] : [`${at}, which is not declared`];
      const schema = declared.schema ?? responses[nameOf(declared.$ref)]?.schema;
      if (schema !== undefined) return check(schema, json, at);
      const hasBody = json !== undefined && status < 400;
      return hasBody ? [`${at} with a body, which is not declared`] : [];
    },
  };
}

const nameOf = (reference: string | undefined): string => reference?.split("/").at(-1) ?? "";

function checkNamed(
  parameters: readonly Parameter[],
  place: "path" | "query",
  values: ReadonlyMap<string, string>,
): string[] {
  const known = parameters.filter((parameter) => parameter.in === place);
  const problems = [...values.keys()]
    .filter((name) => !known.some((parameter) => parameter.name === name))
    .map((name) => `there is no ${place} parameter ${name}`);
  for (const { name, type, required, enum: allowed } of known) {
    const value = values.get(name);
    if (value === undefined) {
      if (required) problems.push(`the ${place} parameter ${name} is missing`);
    } else if (type === "integer" && !/^\d+$/.test(value)) problems.push(`${name} is no integer: ${value}`);
    else if (type === "boolean" && !/^(?:true|false)$/.test(value)) problems.push(`${name} is no boolean`);
    else if (allowed !== undefined && !allowed.includes(value)) problems.push(`${name} cannot be ${value}`);
  }
  return problems;
}

function checkBody(
  parameters: readonly Parameter[],
  { json }: CheckedRequest,
  check: (schema: Schema, value: unknown, at: string) => string[],
): string[] {
  const body = parameters.find((parameter) => parameter.in === "body");
  if (body === undefined) return json === undefined ? [] : ["it takes no body"];
  if (json === undefined) return ["it has no body"];
  return check(body.schema ?? {}, json, "body");
}

function checkForm(parameters: readonly Parameter[], { form }: CheckedRequest): string[] {
  const known = parameters.filter((parameter) => parameter.in === "formData");
  if (form === undefined) {
    return known.filter(({ required }) => required).map(({ name }) => `the form field ${name} is missing`);
  }
  const unknown = [...form.keys()].filter((name) => !known.some((parameter) => parameter.name === name));
  return [
    ...unknown.map((name) => `there is no form field ${name}`),
    ...known
      .filter(({ name, required }) => required && !form.has(name))
      .map(({ name }) => `the form field ${name} is missing`),
    ...known
      .filter(({ name, type }) => form.has(name) && (type === "file") !== form.get(name))
      .map(({ name }) => `the form field ${name} is ${form.get(name) === true ? "" : "no "}file`),
  ];
}

function checkValue(
  definitions: Readonly<Record<string, Schema>>,
  schema: Schema,
  value: unknown,
  at: string,
): string[] {
  if (schema.$ref !== undefined) {
    const target = definitions[nameOf(schema.$ref)];
    return target === undefined ? [`${at}: no ${schema.$ref}`] : checkValue(definitions, target, value, at);
  }
  // Go writes null for what is not there; the document has no word for it.
  if (value === null) return [];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${at} cannot be ${JSON.stringify(value)}`];
  switch (schema.type) {
    case "object":
      return checkObject(definitions, schema, value, at);
    case "array":
      if (!Array.isArray(value)) return [`${at} is no array`];
      return value.flatMap((item, index) =>
        checkValue(definitions, schema.items ?? {}, item, `${at}.${index}`),
      );
    case "string":
      if (typeof value !== "string") return [`${at} is no string`];
      return schema.format === "date-time" && Number.isNaN(Date.parse(value)) ? [`${at} is no time`] : [];
    case "integer":
      return Number.isSafeInteger(value) ? [] : [`${at} is no integer`];
    case "boolean":
      return typeof value === "boolean" ? [] : [`${at} is no boolean`];
    case undefined:
      return [];
    default:
      return [`${at}: the type ${schema.type} is not known here`];
  }
}

function checkObject(
  definitions: Readonly<Record<string, Schema>>,
  { properties = {}, required = [], additionalProperties }: Schema,
  value: unknown,
  at: string,
): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at} is no object`];
  const missing = required.filter((name) => !(name in value)).map((name) => `${at}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, member]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (schema === undefined) return [`${at}.${name} is not in the document`];
    return checkValue(definitions, schema, member, `${at}.${name}`);
  });
  return [...missing, ...wrong];
}
