import * as v from "valibot";
import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { StorePath } from "../../protocol/names.ts";
import type { EvaluationFailure } from "../evaluator.ts";
import { readFailureMessage } from "../realise/failure-message.ts";
import type { Derivation, Store } from "../store.ts";
import { explainImport } from "./failed-import.ts";

const drvPath = v.parse(StorePath, `/nix/store/${"a".repeat(32)}-options.nix.drv`);
const failure: EvaluationFailure = {
  cause: "error",
  message: "flake.nix:3:5: it failed",
  details: "a trace",
};
const derivation: Derivation = { outputs: new Map(), inputDrvs: new Map(), system: "x86_64-linux" };

/** Explains the failure when Nix says this of a build whose log is this. */
async function explain(
  error: string,
  log: string | Error,
  more: Partial<Derivation> = {},
): Promise<EvaluationFailure> {
  const said = readFailureMessage(error);
  if (said === undefined) throw new Error("this is no failure");
  const store: Pick<Store, "readDerivation" | "readLog"> = {
    readDerivation: async () => ({ ...derivation, ...more }),
    async readLog(_, onChunk) {
      if (log instanceof Error) throw log;
      await onChunk(new TextEncoder().encode(log));
    },
  };
  return explainImport(failure, said, store, new AbortController().signal);
}

test.each([
  ["2.8", `builder for '${drvPath}' failed with exit code 1`],
  ["2.34", `Cannot build '${drvPath}'.\nReason: builder failed with exit code 1.`],
])("Nix %s: a build that fails keeps its words, with the end of its log", async (_, error) => {
  const lines = Array.from({ length: 100 }, (__, index) => `\u001b[31mline ${index}\u001b[0m`).join("\n");
  const { details, ...rest } = await explain(error, `${lines}\n`);
  expect(rest).toEqual({ cause: "error", message: failure.message });
  expect(details).toContain("a trace\n\nthe end of the log of options.nix:\nline 80\n");
  expect(details.endsWith("line 99")).toBe(true);
});

test.each([
  ["a server that is overloaded", "curl: (22) The requested URL returned error: 503", "infra"],
  ["a name that is not there", "curl: (22) The requested URL returned error: 404", "error"],
])("a download and %s", async (_, line, cause) => {
  const error = `builder for '${drvPath}' failed with exit code 1`;
  expect((await explain(error, line, { fetches: ["https://files.lan/x"] })).cause).toBe(cause);
  // Only a fixed-output derivation has a network.
  expect((await explain(error, line)).cause).toBe("error");
});

test.each([
  [`build of '${drvPath}' on 'ssh://arm' failed: cannot connect to 'arm'`, "cannot connect to 'arm'"],
  [`Cannot build '${drvPath}'.\nReason: writing file: No space left on device.`, "No space left on device"],
])("what keeps a build from running is nobody's fault: %s", async (error, reason) => {
  const { cause, message } = await explain(error, "");
  expect(cause).toBe("infra");
  expect(message).toContain("options.nix, which it imports from, cannot be built: ");
  expect(message).toContain(reason);
});

test("a log that cannot be read excuses only what may have been a download", async () => {
  const gone = new HomelabError("unavailable", "the store is away", { code: "STORE_UNAVAILABLE" });
  const error = `builder for '${drvPath}' failed with exit code 1`;
  expect(await explain(error, gone)).toEqual(failure);
  expect((await explain(error, gone, { fetches: [] })).cause).toBe("infra");
});
