import type * as v from "valibot";
import { decodeJson } from "../json.ts";
import { readBounded } from "./read-bounded.ts";
import { replaceFile } from "./replace-file.ts";

const maxBytes = 16 * 1024 * 1024;

/** A small value in a file of our own that may be lost: a memory that only saves work. */
export interface JsonFile<Schema extends v.GenericSchema> {
  /** Undefined when the file is missing, cannot be read, or does not hold what it should. */
  read(): Promise<v.InferOutput<Schema> | undefined>;
  /** Writes are done one after the other; each replaces the file in one step. */
  write(value: v.InferInput<Schema>): Promise<void>;
}

export function createJsonFile<Schema extends v.GenericSchema>(
  file: string,
  schema: Schema,
): JsonFile<Schema> {
  let writing: Promise<void> = Promise.resolve();
  return {
    async read() {
      try {
        return decodeJson(schema, (await readBounded(file, maxBytes)).text);
      } catch {
        return undefined;
      }
    },
    async write(value) {
      const text = JSON.stringify(value);
      const write = async (): Promise<void> => replaceFile(file, text);
      writing = writing.then(write, write);
      await writing;
    },
  };
}
