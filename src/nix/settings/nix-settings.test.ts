import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { buildableSystems } from "./machines.ts";
import { broken, ignoredSettings, parseVersion, placesOf, readNixSettings } from "./nix-settings.ts";

test.each([
  ["nix (Nix) 2.8.0\n", "2.8.0"],
  ["nix (Nix) 2.34.8", "2.34.8"],
  ["nix (Nix) 2.24.0pre20240701_b0e6b2d", "2.24.0pre20240701_b0e6b2d"],
  ["nix (Lix, like Nix) 2.91.1\nSystem type: x86_64-linux", "2.91.1"],
  ["nix (Determinate Nix 3.6.2) 2.29.0\n", "2.29.0"],
  ["sh: nix: not found", undefined],
])("reads the version of %j", (output, version) => {
  expect(parseVersion(output)).toBe(version);
});

const config = {
  system: { value: "x86_64-linux" },
  substituters: { value: ["https://cache.nixos.org/"] },
  "extra-platforms": { value: ["i686-linux"] },
  "max-jobs": { value: 4 as number | string },
  builders: { value: "" },
};

test.each([
  ["none", "", 4, ["x86_64-linux", "i686-linux"]],
  ["one", "ssh://arm aarch64-linux,armv7l-linux /key 4", 4, ["aarch64-linux", "armv7l-linux"]],
  ["comments and empty lines", "# ssh://a b\n\n ssh://r riscv64-linux # fast", 4, ["riscv64-linux"]],
  [
    "several on a line",
    "ssh://a aarch64-linux; ssh://r riscv64-linux",
    4,
    ["aarch64-linux", "riscv64-linux"],
  ],
  ["one of our own system", "ssh://a -;ssh://b", 4, []],
])("knows the systems with %s remote builders", (_, machines, maxJobs, more) => {
  const systems = buildableSystems(placesOf({ ...config, "max-jobs": { value: maxJobs } }, machines));
  expect(new Set(systems)).toEqual(new Set(["x86_64-linux", "i686-linux", ...more]));
});

test("builds nothing here when nix.conf allows no jobs here", () => {
  const none = { ...config, "max-jobs": { value: 0 } };
  expect(buildableSystems(placesOf(none, "ssh://arm aarch64-linux"))).toEqual(["aarch64-linux"]);
  expect(buildableSystems(placesOf({ ...config, "max-jobs": { value: "auto" } }, ""))).toContain(
    "x86_64-linux",
  );
});

const answered = (stdout: string, exitCode = 0): ExecResult => ({
  exitCode,
  killedBy: undefined,
  timedOut: false,
  stdout,
  stderrTail: exitCode === 0 ? "" : "error: unknown command",
});

const nixThatKnows =
  (version: string, configCommand: string): Exec =>
  async (_, args) => {
    if (args.includes("--version")) return answered(`nix (Nix) ${version}\n`);
    if (args.includes("eval")) return answered("/nix/store");
    const all = { ...config, "access-tokens": { value: { "git.lan": "secret" } } };
    return args.includes(configCommand) ? answered(JSON.stringify(all)) : answered("", 1);
  };

const read = async (exec: Exec) => readNixSettings(exec, {}, new AbortController().signal);

test.each([
  ["2.8.0", "show-config"],
  ["2.34.8", "show"],
  ["2.93.0", "show-config"],
])("asks Nix %s, which knows %s", async (version, command) => {
  expect(await read(nixThatKnows(version, command))).toEqual({
    version,
    ignored: [],
    evaluationDigest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    system: "x86_64-linux",
    slots: { here: 4, remote: 0 },
    places: { here: ["x86_64-linux", "i686-linux"], machines: [] },
    substituters: ["https://cache.nixos.org/"],
    storeDirectory: "/nix/store",
    stateDirectory: "/nix/var/nix",
    buildUsersGroup: "",
    allocatesUids: false,
    // Nothing else: other settings hold secrets.
    judged: { "max-jobs": 4 },
  });
});

test("says how to install Nix when it is missing", async () => {
  const missing: Exec = async () =>
    Promise.reject(new HomelabError("unavailable", "nix is not installed", { code: "PROGRAM_MISSING" }));
  await expect(read(missing)).rejects.toMatchObject({
    kind: "unavailable",
    code: "NIX_MISSING",
    hint: expect.stringContaining("install Nix 2.8") as string,
  });
});

test("says what does not work when Nix is broken", async () => {
  await expect(read(async () => answered("Segmentation fault"))).rejects.toMatchObject({
    code: "NIX_BROKEN",
  });
  await expect(read(nixThatKnows("2.8.0", "nothing"))).rejects.toMatchObject({ code: "NIX_BROKEN" });
});

test.each([
  [
    "2.8",
    "error: illegal configuration line 'this is no setting' in '/etc/nix/nix.conf'\nTry 'nix --help' for more information.",
  ],
  ["2.8", "error: setting 'cores' has invalid value 'all'\nTry 'nix --help' for more information."],
  ["2.34", "error: syntax error in configuration line 'this is no setting' in '/etc/nix/nix.conf'"],
])("of a nix.conf that Nix %s cannot read it says where, and not to install Nix", (_version, said) => {
  const error = broken("nix --version", said);
  expect(error.hint).toContain("correct nix.conf");
  expect(error.cause).toMatchObject({ message: said.split("\n")[0] });
});

test("settings that Nix ignores are found in what it says, with what was meant", () => {
  const said = [
    "warning: unknown setting 'max-jbos'",
    "warning: unknown setting 'lazy-trees'",
    "warning: unknown setting 'max-jbos'",
    "error: unknown setting 'x'",
  ].join("\n");
  expect(ignoredSettings(said, ["max-jobs", "cores"])).toEqual([
    { name: "max-jbos", meant: "max-jobs" },
    { name: "lazy-trees" },
  ]);
});
