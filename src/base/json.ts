// JSON from outside. How large it may be is for those who read it to say.
import * as v from "valibot";

const maxDepth = 64;

export class TooDeepError extends Error {
  override readonly name = "TooDeepError";
}

/**
 * The value of a text of JSON.
 *
 * @throws TooDeepError when it is nested deeper than anybody needs
 * @throws SyntaxError when it is not JSON; its message quotes the text
 */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) throw new TooDeepError(`it is nested more than ${maxDepth} deep`);
  return JSON.parse(text) as unknown;
}

/** The value of a text of JSON in the schema's terms; undefined when it is not JSON, or something else. */
export function decodeJson<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
): v.InferOutput<Schema> | undefined {
  const result = v.safeParse(schema, jsonOrNothing(text));
  return result.success ? result.output : undefined;
}

/** The value of a JSON text, or undefined, which JSON cannot express. */
export function jsonOrNothing(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/**
 * V8 parses any depth, but whatever then goes through the value calls itself for each level, from a schema to
 * JSON.stringify. Brackets in strings do not count.
 */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}
