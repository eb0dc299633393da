import * as v from "valibot";
import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { parseCommit, parseHostName, StorePath } from "../../protocol/names.ts";
import type { Exec, ExecOptions, ExecResult } from "../../process/exec.ts";
import { someOverride } from "../../../test/support/overrides.ts";
import { thrownMark } from "./evaluation-arguments.ts";
import { createEvaluator } from "./evaluate.ts";
import { configurationsOf } from "./evaluation-arguments.ts";
import { nixString } from "../nix-command.ts";
import type { Derivation } from "../store.ts";

const commit = parseCommit("c".repeat(40));
const source = { mirror: "/var/lib/mirrors/nixos", commit };
const options = { timeoutMs: 1000, maxMemoryBytes: 2 ** 30, allowImportFromDerivation: false };
const signal = new AbortController().signal;
const [web, db] = [parseHostName("web.example.com"), parseHostName("db")];
const hash = "0".repeat(32);
const result = {
  drvPath: v.parse(StorePath, `/nix/store/${hash}-web.drv`),
  outPath: v.parse(StorePath, `/nix/store/${hash}-web`),
  system: "x86_64-linux",
  warnings: ["careful"],
};

const derivation: Derivation = {
  outputs: new Map([["out", result.outPath]]),
  inputDrvs: new Map(),
  system: result.system,
};

interface Call {
  readonly args: readonly string[];
  readonly options: ExecOptions;
}

type Answer = Partial<ExecResult> & { readonly stderr?: string };

/** Nix that gives these answers one after the other. */
const scripted = (...answers: readonly Answer[]) => scriptedAt("2.34.8", ...answers);
function scriptedAt(nixVersion: string, ...answers: readonly Answer[]) {
  const calls: Call[] = [];
  const exec: Exec = async (_, args, execOptions) => {
    const answer = answers[calls.length] ?? {};
    calls.push({ args, options: execOptions });
    await execOptions.onStderr?.(Buffer.from(answer.stderr ?? ""));
    const nothing = { killedBy: undefined, timedOut: false, stderrTail: "" };
    return { ...nothing, exitCode: answer.stdout === undefined ? 1 : 0, stdout: "", ...answer };
  };
  const drops: string[] = [];
  const evaluator = createEvaluator({
    exec,
    environment: { PATH: "/bin" },
    version: nixVersion,
    buildsDirectory: "/var/lib/builds",
    outOfMemoryKills: async () => 0,
    // Dropped once, as the real one.
    nixCache: {
      generation: () => Math.min(1, drops.length),
      drop: async (reason) => void drops.push(reason),
    },
    readDerivation: async () => derivation,
    storeDirectory: "/nix/store",
  });
  return { evaluator, calls, drops };
}

/** As our expression has Nix print it. */
const printed = (...results: readonly (readonly [string, Partial<typeof result> | null])[]) => ({
  stdout: JSON.stringify(
    results.map(([host, value]) => ({
      host,
      result: value === null ? null : { ...value, instantiated: true, output: value.outPath },
    })),
  ),
});
const error = (text: string) => ({
  stderr: `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `error: ${text}`, raw_msg: text })}\n`,
});

test("gives what Nix says of each host, and who threw", async () => {
  const { evaluator, calls } = scripted(printed([web, result], [db, null]));
  expect(await evaluator.evaluate(source, [web, db], options, signal)).toEqual({
    type: "evaluated",
    hosts: new Map([[web, result]]),
    threw: [db],
  });
  const args = calls[0]?.args ?? [];
  expect(args.slice(-2)).toEqual([
    "--",
    `git+file:///var/lib/mirrors/nixos?ref=refs%2Fhomelab-deploy%2F${commit}&rev=${commit}#nixosConfigurations`,
  ]);
  expect(args.join(" ")).toContain("tryEval");
  expect(args).toEqual(expect.arrayContaining(["--no-accept-flake-config", "--no-update-lock-file"]));
  // It would undo the other.
  expect(args).not.toContain("--no-write-lock-file");
  expect(calls[0]?.options.env).toMatchObject({ PATH: "/bin", GC_MAXIMUM_HEAP_SIZE: String(2 ** 30) });
});

const overridden = {
  ...source,
  overrides: [
    {
      input: someOverride().input,
      mirror: "/var/lib/mirrors/servers",
      commit: someOverride().commit,
      directory: "sub",
    },
  ],
};
const override = `git+file:///var/lib/mirrors/servers?ref=refs%2Fhomelab-deploy%2F${someOverride().commit}&rev=${someOverride().commit}&dir=sub`;

test("gives overrides to Nix, and to an older one so that it forgets what the lock says below them", async () => {
  const young = scriptedAt("2.34.8", printed([web, result]));
  await young.evaluator.evaluate(overridden, [web], options, signal);
  const args = young.calls[0]?.args.join(" ") ?? "";
  expect(args).toContain(`--no-write-lock-file`);
  expect(args).toContain(` --override-input servers ${override} `);
  expect(args).not.toContain("--update-input");
  const old = scriptedAt("2.26.3", { stdout: "[]" });
  await old.evaluator.listHosts(overridden, options, signal);
  expect(old.calls[0]?.args.join(" ")).toContain(
    ` --update-input servers --override-input servers ${override} `,
  );
  const without = scriptedAt("2.26.3", { stdout: "[]" });
  await without.evaluator.listHosts(source, options, signal);
  expect(without.calls[0]?.args.join(" ")).not.toContain("-input");
});

test("an override that Nix does not use is refused, not evaluated without", async () => {
  const said = `\u001b[35;1mwarning:\u001b[0m the flag '--override-input servers ${override}' does not match any input`;
  const warning = {
    stdout: "[]",
    stderr: `@nix ${JSON.stringify({ action: "msg", level: 1, msg: said })}\n`,
  };
  const { evaluator } = scripted(warning);
  await expect(evaluator.listHosts(overridden, options, signal)).rejects.toMatchObject({
    kind: "usage",
    code: "UNKNOWN_FLAKE_INPUT",
  });
  // A flake's own warnings, as Nix 2.26 and later show them.
  const forged = `evaluation warning: the flag '--override-input servers ${override}' does not match any input`;
  const { evaluator: other } = scripted({
    stdout: "[]",
    stderr: `@nix ${JSON.stringify({ action: "msg", level: 1, msg: forged })}\n`,
  });
  expect(await other.listHosts(overridden, options, signal)).toEqual([]);
});

test("evaluates one host alone, and fails with its error", async () => {
  const { evaluator, calls } = scripted(error("host web: no"));
  expect(await evaluator.evaluate(source, [web], options, signal)).toEqual({
    type: "failed",
    failure: { cause: "error", message: "host web: no", details: "host web: no", isOwn: false },
  });
  expect(calls).toHaveLength(1);
});

test("evaluates nothing for no hosts", async () => {
  const { evaluator, calls } = scripted();
  expect(await evaluator.evaluate(source, [], options, signal)).toMatchObject({ hosts: new Map() });
  expect(calls).toEqual([]);
});

test.each([
  ["a host is missing", printed([web, result])],
  ["there is nothing", { stdout: "" }],
  ["it is not JSON", { stdout: '[{"host":' }],
])("success is none when %s", async (_, answer) => {
  const { evaluator } = scripted(answer);
  expect(await evaluator.evaluate(source, [web, db], options, signal)).toMatchObject({
    type: "failed",
    failure: { cause: "infra" },
  });
});

test("does not read what a failed evaluator printed", async () => {
  const { evaluator } = scripted({ ...printed([web, result]), exitCode: 1, ...error("late error") });
  const outcome = await evaluator.evaluate(source, [web], options, signal);
  expect(outcome).toMatchObject({ type: "failed", failure: { message: "late error" } });
});

const download = error("unable to download 'https://x': Could not resolve host: x (6)");
const traced = (text: string): string =>
  `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `trace: ${text}` })}\n`;

test("a host that throws the words of an infrastructure fault has failed by itself", async () => {
  const { evaluator, calls } = scripted({ ...download, stderr: traced(thrownMark) + download.stderr });
  expect(await evaluator.evaluate(source, [web], options, signal)).toMatchObject({
    type: "failed",
    failure: {
      cause: "error",
      message: expect.stringContaining("unable to download") as string,
      isOwn: true,
    },
  });
  expect(calls).toHaveLength(1);
});

test("what is not thrown and sounds like an infrastructure fault is one", async () => {
  const { evaluator } = scripted({ ...download, stderr: traced("thrown by the host") + download.stderr });
  expect(await evaluator.evaluate(source, [web], options, signal)).toMatchObject({
    type: "failed",
    failure: { cause: "infra" },
  });
});

const damaged = error("getting Git object 'c879f7': failed to parse loose object: invalid header");

test("damaged objects in Nix's cache cost one more evaluation, of a host and of the list", async () => {
  const { evaluator, calls, drops } = scripted(damaged, printed([web, result]));
  expect(await evaluator.evaluate(source, [web], options, signal)).toMatchObject({
    hosts: new Map([[web, result]]),
  });
  expect(calls).toHaveLength(2);
  expect(drops).toHaveLength(1);
  const listing = scripted(damaged, { stdout: '["web"]' });
  expect(await listing.evaluator.listHosts(source, options, signal)).toEqual(["web"]);
});

test("damage that comes again is an infrastructure fault", async () => {
  const { evaluator, calls } = scripted(damaged, damaged, damaged);
  const failed = { type: "failed", failure: { cause: "infra" } };
  expect(await evaluator.evaluate(source, [web], options, signal)).toMatchObject(failed);
  expect(await evaluator.evaluate(source, [web], options, signal)).toMatchObject(failed);
  expect(calls).toHaveLength(3);
});

test("what a flake claims and the store refutes is the failure of that host alone", async () => {
  const liar = { ...result, outPath: v.parse(StorePath, `/nix/store/${hash}-other`) };
  const together = scripted(printed([web, result], [db, liar])).evaluator;
  expect(await together.evaluate(source, [web, db], options, signal)).toEqual({
    type: "evaluated",
    hosts: new Map([[web, result]]),
    threw: [db],
  });
  const alone = scripted(printed([db, liar])).evaluator;
  expect(await alone.evaluate(source, [db], options, signal)).toMatchObject({
    type: "failed",
    failure: { cause: "error", message: expect.stringContaining("is not an output of its derivation") },
  });
});

test("more output than anybody reads is not an infrastructure fault", async () => {
  const flooded = createEvaluator({
    exec: async () => {
      throw new HomelabError("failed", "nix wrote more than it may", { code: "OUTPUT_TOO_LARGE" });
    },
    environment: {},
    version: "2.34.8",
    buildsDirectory: "/var/lib/builds",
    outOfMemoryKills: async () => 0,
    nixCache: { generation: () => 0, drop: async () => undefined },
    readDerivation: async () => derivation,
    storeDirectory: "/nix/store",
  });
  expect(await flooded.evaluate(source, [web], options, signal)).toMatchObject({
    type: "failed",
    failure: { cause: "error", message: "the result of the evaluation is larger than 16 MiB" },
  });
});

test("bounds warnings and frees them of controls", async () => {
  const many = Array.from({ length: 150 }, (_, index) => `\u001b[2Jwarning ${index}`);
  const { evaluator } = scripted(printed([web, { ...result, warnings: many }]));
  const outcome = await evaluator.evaluate(source, [web], options, signal);
  const warnings = outcome.type === "evaluated" ? (outcome.hosts.get(web)?.warnings ?? []) : [];
  expect(warnings).toHaveLength(101);
  expect(warnings[0]).toBe("warning 0");
  expect(warnings.at(-1)).toBe("and 50 more warnings");
});

test("lists every name, and none for a flake without configurations", async () => {
  const names = ["web", 'a"q', "with space", "ünï"];
  expect(
    await scripted({ stdout: JSON.stringify(names) }).evaluator.listHosts(source, options, signal),
  ).toEqual(names);
  const none = error(
    "flake 'git+file:///x' does not provide attribute 'packages.x86_64-linux.nixosConfigurations', 'legacyPackages.x86_64-linux.nixosConfigurations' or 'nixosConfigurations'",
  );
  expect(await scripted(none).evaluator.listHosts(source, options, signal)).toEqual([]);
});

test.each([
  ["failed", error("syntax error, unexpected ')'")],
  ["unavailable", download],
  ["unavailable", { stdout: "null" }],
] as const)("a list that cannot be had is %s", async (kind, answer) => {
  const outcome = scripted(answer).evaluator.listHosts(source, options, signal);
  await expect(outcome).rejects.toBeInstanceOf(HomelabError);
  await expect(outcome).rejects.toMatchObject({ kind, code: "INVENTORY_FAILED" });
});

test("keeps any path, directory and text apart from what surrounds it", () => {
  const odd = { mirror: "/srv/we ird%ü?#x&y", commit, directory: "sub dir/ä+b" };
  expect(configurationsOf(odd)).toBe(
    `git+file:///srv/we%20ird%25%C3%BC%3F%23x&y?ref=refs%2Fhomelab-deploy%2F${commit}&rev=${commit}&dir=sub%20dir%2F%C3%A4%2Bb#nixosConfigurations`,
  );
  expect(nixString('a"b\\c${d}\n$e')).toBe('"a\\"b\\\\c\\${d}\\n$e"');
});
