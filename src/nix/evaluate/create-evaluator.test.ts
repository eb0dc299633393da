import * as v from "valibot";
import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { type HostName, parseCommit, parseHostName, StorePath } from "../../protocol/names.ts";
import type { Exec, ExecOptions, ExecResult } from "../../process/exec.ts";
import { someOverride } from "../../../test/support/overrides.ts";
import { systemClock } from "../../base/clock.ts";
import { createEvaluator } from "./create-evaluator.ts";
import { configurationsOf } from "./evaluation-arguments.ts";
import { nixString } from "../nix-command.ts";
import type { Evaluator, FlakeSource, HostEvaluation } from "../evaluator.ts";
import type { Derivation } from "../store.ts";

const commit = parseCommit("c".repeat(40));
const source = { mirror: "/var/lib/mirrors/nixos", commit };
const options = { timeoutMs: 1000, maxMemoryBytes: 2 ** 30, allowImportFromDerivation: false };
const signal = new AbortController().signal;
const [web, db] = [parseHostName("web.example.com"), parseHostName("db")];
const hash = "0".repeat(32);
const result: HostEvaluation = {
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

/** What Nix says, with the token that our expression has. */
type Said = string | ((token: string) => string);
type Answer = Partial<ExecResult> & { readonly stderr?: Said };

/** Nix that gives these answers one after the other. */
const scripted = (...answers: readonly Answer[]) => scriptedAt("2.34.8", ...answers);
function scriptedAt(nixVersion: string, ...answers: readonly Answer[]) {
  const calls: Call[] = [];
  const exec: Exec = async (_, args, execOptions) => {
    const answer = answers[calls.length] ?? {};
    calls.push({ args, options: execOptions });
    const token = /"(?<token>[0-9a-f-]{36}) "/.exec(args.join(" "))?.groups?.["token"] ?? "";
    await execOptions.onStderr?.(Buffer.from(saidWith(answer.stderr ?? "", token)));
    const nothing = { killedBy: undefined, timedOut: false, stderrTail: "" };
    return { ...nothing, exitCode: answer.stdout === undefined ? 1 : 0, stdout: "", ...answer };
  };
  return { ...withExec(exec, nixVersion), calls };
}

function withExec(exec: Exec, version = "2.34.8") {
  let drops = 0;
  const evaluator = createEvaluator({
    exec,
    environment: { PATH: "/bin" },
    version,
    clock: systemClock,
    buildsDirectory: "/var/lib/builds",
    outOfMemoryKills: async () => 0,
    // Dropped once, as the real one.
    nixCache: {
      generation: () => Math.min(1, drops),
      async replace(since) {
        drops++;
        return since === 0;
      },
    },
    readDerivation: async () => derivation,
    readLog: async () => undefined,
    storeDirectory: "/nix/store",
  });
  return { evaluator, drops: () => drops };
}

const saidWith = (said: Said, token: string): string => (typeof said === "string" ? said : said(token));
const traced = (text: string): string =>
  `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `trace: ${text}` })}\n`;

/** What the expression has Nix say about its hosts: of each a result, or how it ends. */
type HostSaid = HostEvaluation | Said | undefined;
const says = (...hosts: HostSaid[]): Answer => ({
  stderr: (token) =>
    hosts
      .map((host, index) => {
        const begun = traced(`${token} begun ${index}`);
        if (host === undefined) return begun;
        if (typeof host === "string" || typeof host === "function") return begun + saidWith(host, token);
        const { warnings, drvPath, outPath: output } = host;
        const warned = [`${token} warns`, ...warnings].map(traced).join("");
        const said = JSON.stringify({ drvPath, output, instantiated: true });
        return begun + warned + traced(`${token} result ${said}`);
      })
      .join(""),
});
const finished = (...hosts: HostSaid[]): Answer => ({ ...says(...hosts), stdout: "null" });

/** What is found of the hosts, without where the evaluator was. */
async function found(evaluator: Evaluator, hosts: readonly HostName[], of: FlakeSource = source) {
  const events = await Array.fromAsync(evaluator.evaluate(of, hosts, options, signal));
  return events.filter(({ type }) => type !== "begun");
}

const error = (text: string) => ({
  stderr: `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `error: ${text}`, raw_msg: text })}\n`,
});

test("gives what Nix says of each host, as it says it", async () => {
  const { evaluator, calls } = scripted(finished(result, result));
  expect(await Array.fromAsync(evaluator.evaluate(source, [web, db], options, signal))).toEqual([
    { type: "begun", host: web },
    { type: "evaluated", host: web, evaluation: result },
    { type: "begun", host: db },
    { type: "evaluated", host: db, evaluation: result },
  ]);
  const args = calls[0]?.args ?? [];
  expect(args.slice(-2)).toEqual([
    "--",
    `git+file:///var/lib/mirrors/nixos?ref=refs%2Fhomelab-deploy%2F${commit}&rev=${commit}#nixosConfigurations`,
  ]);
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
  const young = scriptedAt("2.34.8", finished(result));
  await found(young.evaluator, [web], overridden);
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

test("an error is that of the host which the evaluator had come to", async () => {
  const { evaluator, calls } = scripted(says(result, error("host db: no").stderr));
  expect(await found(evaluator, [web, db])).toEqual([
    { type: "evaluated", host: web, evaluation: result },
    {
      type: "failed",
      hosts: [db],
      failure: { cause: "error", message: "host db: no", details: "host db: no", isOwn: false },
    },
  ]);
  expect(calls).toHaveLength(1);
});

test("an error before the first host is that of all", async () => {
  const { evaluator } = scripted(error("no such input"));
  expect(await found(evaluator, [web, db])).toMatchObject([
    { type: "failed", hosts: [web, db], failure: { message: "no such input" } },
  ]);
});

test("nobody is given what was said of the host before", async () => {
  const { evaluator } = scripted({
    ...says(result, ""),
    stderr: (token) => {
      const plain = "error: of another host\n";
      return saidWith(says({ ...result, warnings: ["first"] }, "").stderr ?? "", token).replace(
        traced(`${token} begun 1`),
        plain + traced("second") + traced(`${token} begun 1`),
      );
    },
  });
  const [first, second] = await found(evaluator, [web, db]);
  expect(first).toMatchObject({ evaluation: { warnings: ["first"] } });
  expect(second).toEqual({
    type: "failed",
    hosts: [db],
    failure: {
      cause: "infra",
      message: "the evaluator ended with 1 and printed nothing",
      details: "",
    },
  });
});

test("a host whose result is lost is nobody's success, and those after it are not taken for it", async () => {
  const { evaluator } = scripted(finished(result, undefined, result));
  const third = parseHostName("third");
  expect(await found(evaluator, [web, db, third])).toMatchObject([
    { type: "evaluated", host: web },
    { type: "failed", hosts: [db], failure: { cause: "infra" } },
    { type: "evaluated", host: third },
  ]);
});

test("a trace that is too long to keep is shown in part", async () => {
  const { evaluator } = scripted(finished({ ...result, warnings: ["x".repeat(600_000), "short"] }));
  const [event] = await found(evaluator, [web]);
  const warnings = event?.type === "evaluated" ? event.evaluation.warnings : [];
  expect(warnings.map(({ length }) => length)).toEqual([2000, 5]);
});

test("one evaluator is told of no more hosts than fit into an argument", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => parseHostName(`${"h".repeat(120)}${index}`));
  const { evaluator, calls } = scripted({ stdout: "null" });
  const [event] = await found(evaluator, many);
  expect(event).toMatchObject({ type: "failed" });
  const longest = Math.max(...(calls[0]?.args ?? []).map((argument) => Buffer.byteLength(argument)));
  expect(longest).toBeLessThan(128 * 1024);
  expect(event?.type === "failed" && event.hosts.length).toBeGreaterThan(500);
});

test("evaluates nothing for no hosts", async () => {
  const { evaluator, calls } = scripted();
  expect(await found(evaluator, [])).toEqual([]);
  expect(calls).toEqual([]);
});

test.each([
  ["there is nothing", { stdout: "null" }, [web, db]],
  ["a host has no result", finished(result, ""), [db]],
])("success is none when %s", async (_, answer, hosts) => {
  const { evaluator } = scripted(answer);
  const events = await found(evaluator, [web, db]);
  expect(events.at(-1)).toMatchObject({ type: "failed", hosts, failure: { cause: "infra" } });
});

test.each([
  ["was killed", "", { killedBy: "SIGKILL", exitCode: undefined }],
  ["crashed", "", { killedBy: "SIGSEGV", exitCode: undefined }],
  ["had no more memory", "GC Warning: Out of Memory! Heap size: 256 MiB. Returning NULL!\n", {}],
] as const)("an evaluator that %s judges a host only where it held no other", async (_, last, end) => {
  const together = scripted({ ...says(result, last), ...end });
  expect((await found(together.evaluator, [web, db])).at(-1)).toMatchObject({
    type: "undecided",
    host: db,
  });
  const first = scripted({ ...says(last), ...end });
  expect(await found(first.evaluator, [db, web])).toMatchObject([{ type: "failed", hosts: [db] }]);
});

test("where the system refuses a large heap, the usual one is taken from then on", async () => {
  const refused = {
    stderr: "GC Warning: Failed to expand heap by 8 bytes\nCan't start up: not enough memory\n",
  };
  const { evaluator, calls } = scripted(refused, finished(result), finished(result));
  const large = { ...options, initialHeapBytes: 2 ** 30 };
  for (let time = 0; time < 2; time++) {
    const events = await Array.fromAsync(evaluator.evaluate(source, [web], large, signal));
    expect(events.at(-1)).toMatchObject({ type: "evaluated" });
  }
  const heaps = calls.map((call) => Number(call.options.env["GC_INITIAL_HEAP_SIZE"]) / 2 ** 20);
  expect(heaps).toEqual([1024, 384, 384]);
});

test("an evaluator that is left is ended at once", async () => {
  let grace: number | undefined;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const exec: Exec = async (_, args, { onStderr, graceMs, signal: until }) => {
    const token = /"(?<token>[0-9a-f-]{36}) "/.exec(args.join(" "))?.groups?.["token"] ?? "";
    await onStderr?.(Buffer.from(saidWith(says(result, "").stderr ?? "", token)));
    until.addEventListener("abort", () => end());
    await ended;
    grace = typeof graceMs === "function" ? graceMs() : graceMs;
    throw until.reason;
  };
  const { evaluator } = withExec(exec);
  for await (const { type } of evaluator.evaluate(source, [web, db], options, signal)) {
    if (type === "evaluated") break;
  }
  expect(grace).toBe(0);
});

const download = error("unable to download 'https://x': Could not resolve host: x (6)");

test("a host that throws the words of an infrastructure fault has failed by itself", async () => {
  const thrown: Said = (token) => traced(`${token} threw`) + traced(`${token} fails`) + download.stderr;
  const { evaluator } = scripted(says(thrown));
  expect(await found(evaluator, [web])).toMatchObject([
    {
      type: "failed",
      failure: {
        cause: "error",
        message: expect.stringContaining("unable to download") as string,
        isOwn: true,
      },
    },
  ]);
});

test("what is not thrown and sounds like an infrastructure fault is one", async () => {
  const { evaluator } = scripted(says(traced("threw") + download.stderr));
  expect(await found(evaluator, [web])).toMatchObject([{ type: "failed", failure: { cause: "infra" } }]);
});

const damaged = error("getting Git object 'c879f7': failed to parse loose object: invalid header");

test("damaged objects in Nix's cache cost one more evaluation, of the hosts that are left and of the list", async () => {
  const { evaluator, calls, drops } = scripted(says(result, damaged.stderr), finished(result));
  expect(await found(evaluator, [web, db])).toEqual([
    { type: "evaluated", host: web, evaluation: result },
    { type: "evaluated", host: db, evaluation: result },
  ]);
  expect(calls).toHaveLength(2);
  expect(drops()).toBe(1);
  const listing = scripted(damaged, { stdout: '["web"]' });
  expect(await listing.evaluator.listHosts(source, options, signal)).toEqual(["web"]);
});

test("damage that comes again is an infrastructure fault", async () => {
  const { evaluator, calls } = scripted(damaged, damaged, damaged);
  const failed = [{ type: "failed", failure: { cause: "infra" } }];
  expect(await found(evaluator, [web])).toMatchObject(failed);
  expect(await found(evaluator, [web])).toMatchObject(failed);
  expect(calls).toHaveLength(3);
});

test("what a flake claims and the store refutes is the failure of that host alone", async () => {
  const liar = { ...result, outPath: v.parse(StorePath, `/nix/store/${hash}-other`) };
  const { evaluator } = scripted(finished(liar, result));
  expect(await found(evaluator, [db, web])).toMatchObject([
    {
      type: "failed",
      hosts: [db],
      failure: { cause: "error", message: expect.stringContaining("is not an output of its derivation") },
    },
    { type: "evaluated", host: web },
  ]);
});

test("more output than anybody reads is not an infrastructure fault", async () => {
  const { evaluator } = withExec(async () => {
    throw new HomelabError("failed", "nix wrote more than it may", { code: "OUTPUT_TOO_LARGE" });
  });
  await expect(evaluator.listHosts(source, options, signal)).rejects.toMatchObject({
    kind: "failed",
    message: expect.stringContaining("the result of the evaluation is larger than 16 MiB") as string,
  });
});

test("bounds warnings and frees them of controls", async () => {
  const many = Array.from({ length: 150 }, (_, index) => `\u001b[2Jwarning ${index}`);
  const { evaluator } = scripted(finished({ ...result, warnings: many }));
  const [event] = await found(evaluator, [web]);
  const warnings = event?.type === "evaluated" ? event.evaluation.warnings : [];
  expect(warnings).toHaveLength(101);
  expect(warnings[0]).toBe("warning 0");
  expect(warnings.at(-1)).toBe("and 50 more warnings");
});

test("a line in which a flake sounds like the evaluator is a warning", async () => {
  const said = ["begun 1", "result {}", "threw", `${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)} begun 1`];
  const { evaluator } = scripted(finished({ ...result, warnings: said }));
  expect(await found(evaluator, [web])).toEqual([
    { type: "evaluated", host: web, evaluation: { ...result, warnings: said } },
  ]);
});

test("says once which settings of the flake are ignored, before the first host", async () => {
  const warning = `@nix ${JSON.stringify({ action: "msg", level: 1, msg: "warning: ignoring untrusted flake configuration setting 'max-jobs'" })}\n`;
  const { evaluator } = scripted({
    stdout: "null",
    stderr: (token) => warning + saidWith(says(result, result).stderr ?? "", token),
  });
  expect((await found(evaluator, [web, db])).map(({ type }) => type)).toEqual([
    "ignored-settings",
    "evaluated",
    "evaluated",
  ]);
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
