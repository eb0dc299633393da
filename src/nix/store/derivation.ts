// Derivation files: ATerm, the same in every version of Nix, where the JSON of `nix derivation show` is not.
import { open } from "node:fs/promises";
import * as v from "valibot";
import { hasCode, HomelabError, isProgrammingError, messageOf } from "../../base/errors.ts";
import { StorePath } from "../../protocol/names.ts";
import type { Derivation, Store } from "../store.ts";
import { requirementsOf } from "./derivation-requirements.ts";

const maxBytes = 16 * 1024 * 1024;

/**
 * Reads the text of a .drv file. Outputs whose path is not known before they are built (content-addressed
 * derivations) are left out.
 *
 * @throws Error that says where the text is not a derivation.
 */
export function parseDerivation(text: string): Derivation {
  let at = 0;

  function expect(token: string): void {
    if (!text.startsWith(token, at)) throw new Error(`expected ${token} at character ${at}`);
    at += token.length;
  }

  /** Nix escapes with a backslash and knows \n, \r and \t; any other character stands for itself. */
  function string(): string {
    expect('"');
    const start = at;
    let escaped = false;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (Number.isNaN(code)) throw new Error("a string does not end");
      if (code === quote) break;
      if (code === backslash) {
        escaped = true;
        at++;
      }
    }
    const literal = text.slice(start, at++);
    return escaped
      ? literal.replaceAll(/\\([\s\S])/g, (_, letter: string) => escapes[letter] ?? letter)
      : literal;
  }

  function list<T>(element: () => T): T[] {
    const elements: T[] = [];
    expect("[");
    while (!text.startsWith("]", at)) {
      if (elements.length > 0) expect(",");
      elements.push(element());
    }
    at++;
    return elements;
  }

  function tuple(length: number): string[] {
    expect("(");
    const strings = [string()];
    while (strings.length < length) {
      expect(",");
      strings.push(string());
    }
    expect(")");
    return strings;
  }

  function input(): readonly [StorePath, readonly string[]] {
    expect("(");
    const path = v.parse(StorePath, string());
    expect(",");
    const outputs = list(string);
    expect(")");
    return [path, outputs];
  }

  expect("Derive(");
  const declared = list(() => tuple(4));
  const outputs = declared
    .filter(([, path]) => path !== "")
    .map(([name = "", path]) => [name, v.parse(StorePath, path)] as const);
  expect(",");
  const inputDrvs = list(input);
  expect(",");
  // Source paths, the platform, the builder, its arguments, its environment.
  list(string);
  expect(",");
  const system = string();
  expect(",");
  string();
  expect(",");
  list(string);
  expect(",");
  const environment = new Map(list(() => tuple(2)).map(([name = "", value = ""]) => [name, value] as const));
  expect(")");
  if (at !== text.length) throw new Error(`something follows at character ${at}`);
  const isFixed = declared.some(([, , , hash]) => hash !== "");
  return {
    outputs: new Map(outputs),
    inputDrvs: new Map(inputDrvs),
    system,
    isOnlyBuilt: isOnlyBuilt(environment) ? true : undefined,
    ...requirementsOf(environment, isFixed),
  };
}

/** As Nix reads it (parsed-derivations.cc): a boolean is "1" or empty; with structured attributes all are one JSON text. */
function isOnlyBuilt(environment: ReadonlyMap<string, string>): boolean {
  const structured = environment.get("__json");
  if (structured !== undefined) return /"allowSubstitutes": ?false\b/.test(structured);
  return (environment.get("allowSubstitutes") ?? "1") !== "1";
}

const quote = '"'.charCodeAt(0);
const backslash = "\\".charCodeAt(0);
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/**
 * Reads derivations from the store, and keeps those used last: the graphs of hosts share most of theirs.
 *
 * The returned function throws HomelabError `unavailable`: DERIVATION_MISSING if the file does not exist,
 * DERIVATION_UNREADABLE when it cannot be read, has more than 16 MiB or is not a derivation.
 */
export function createDerivationReader(maxKept = 10_000): Store["readDerivation"] {
  const kept = new Map<StorePath, Derivation>();

  return async (drvPath) => {
    const known = kept.get(drvPath);
    const derivation = known ?? (await readDerivation(drvPath));
    // The order of a Map is that of insertion: the first key is the one used longest ago.
    kept.delete(drvPath);
    kept.set(drvPath, derivation);
    const [oldest] = kept.keys();
    if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest);
    return derivation;
  };
}

async function readDerivation(drvPath: StorePath): Promise<Derivation> {
  try {
    return parseDerivation(await readBounded(drvPath));
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) {
      throw new HomelabError("unavailable", `the derivation ${drvPath} is not in the store`, {
        code: "DERIVATION_MISSING",
        hint: "the garbage collector may have taken it: evaluate the host again",
        cause,
      });
    }
    if (isProgrammingError(cause)) throw cause;
    throw new HomelabError("unavailable", `cannot read the derivation ${drvPath}: ${messageOf(cause)}`, {
      code: "DERIVATION_UNREADABLE",
      hint: "check the store with: nix-store --verify --check-contents",
      cause,
    });
  }
}

/** One byte a character: the environment may hold any bytes, and all that we read of it is ASCII. */
async function readBounded(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > maxBytes) throw new Error(`it has ${size} bytes, more than ${maxBytes}`);
  return await file.readFile("latin1");
}
