import { toJsonSchema } from "@valibot/to-json-schema";
import { Config } from "./schema.ts";

/** The parts of a JSON schema that the configuration's has. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  /** The values of a record; false for an object that takes no other keys. */
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * The configuration's JSON schema (draft 7), for editors and checkers. A file that fits it can still break rules
 * that such a schema cannot say: reserved names, and settings that exclude each other.
 */
export function configJsonSchema(): JsonSchema {
  const schema = toJsonSchema(Config, { typeMode: "input", ignoreActions: ["check", "brand"] });
  return { ...schema, title: "Configuration of homelab-deploy" } as JsonSchema;
}
