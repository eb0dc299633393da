// Repos whose flakes are wrong in every way, or mean harm, through builder and command line.
import { createServer } from "node:http";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { decodeEvent } from "../../src/protocol/events.ts";
import { parseBuildId } from "../../src/protocol/names.ts";
import { test } from "../support/homelab.ts";
import type { Homelab } from "../support/start-homelab.ts";

/** The verdict of each host after `build --all`, and the exit code. */
async function buildAll(homelab: Homelab) {
  await homelab.startBuilder();
  const { exitCode, stdout } = await homelab.run(["build", "--all", "--json"]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => decodeEvent(new TextEncoder().encode(line)));
  const state = foldEvents(events[0]?.build ?? parseBuildId(""), events);
  const verdicts = Object.fromEntries(
    [...state.hosts.values()].map(({ host, finished }) => [host, finished?.verdict]),
  );
  return { exitCode, state, verdicts, stdout };
}

test("a flake's settings run no program, and ask no cache", async ({ homelab }) => {
  let asked = 0;
  const cache = createServer((_, response) => {
    asked++;
    response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(cache, "listening");
  const address = cache.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  const proof = join(homelab.directory, "hook-ran");
  const hook = join(homelab.directory, "hook.sh");
  await writeFile(hook, `#!/bin/sh\ntouch ${proof}\n`);
  await chmod(hook, 0o755);
  const fleet = await readFile(join(import.meta.dirname, "../fixtures/fleet/flake.nix"), "utf8");
  const settings = `nixConfig = {
    post-build-hook = "${hook}"; pre-build-hook = "${hook}"; build-hook = "${hook}";
    substituters = [ "${url}" ]; extra-substituters = [ "${url}" ]; require-sigs = false;
    allow-import-from-derivation = true; max-jobs = 0; plugin-files = "${hook}";
  };`;
  const withSettings = fleet.replace("outputs =", `${settings}\n  outputs =`);
  await homelab.fleet.commit({ hosts: 2, salt: "settings" }, { files: { "flake.nix": withSettings } });
  const { exitCode, verdicts } = await buildAll(homelab);
  cache.close();
  expect(verdicts).toEqual({ host01: "built", host02: "built" });
  expect(exitCode).toBe(0);
  expect(existsSync(proof)).toBe(false);
  expect(asked).toBe(0);
});

test("hosts that do not evaluate leave the others alone", async ({ homelab }) => {
  await homelab.fleet.commit({
    hosts: 9,
    salt: "evaluation",
    evalFail: {
      host01: "throw",
      host02: "abort",
      host03: "infinite",
      host04: "missing",
      host05: "type",
      host06: "deep",
    },
    ifd: ["host07"],
    ifdFail: ["host08"],
  });
  const { exitCode, verdicts } = await buildAll(homelab);
  const broken = Array.from({ length: 8 }, (_, index) => [`host0${index + 1}`, "eval-failed"]);
  expect(verdicts).toEqual({ ...Object.fromEntries(broken), host09: "built" });
  expect(exitCode).toBe(1);
});

// Every set can claim to be a derivation. `lies` are toplevels; `good` and `other` are derivations of this flake, and
// `other` is built when the lies are told.
const lies = {
  outside: `good // { outPath = "/etc/passwd"; }`,
  "outside-path": `good // { outPath = /etc/passwd; }`,
  "other-output": `good // { outPath = other.outPath; }`,
  "other-derivation": `good // { drvPath = other.drvPath; }`,
  "other-source": `good // { outPath = "\${./fleet.json}"; }`,
  "made-up": `{ type = "derivation"; name = "x"; system = good.system; drvPath = "/nix/store/x.drv"; outPath = "/x"; }`,
  named: `{ drvPath = plain other.drvPath; outPath = plain other.outPath; inherit (other) system; }`,
  "no-derivation": `{ drvPath = other.outPath; outPath = other.outPath; inherit (other) system; }`,
  text: `other.outPath`,
  huge: `good // { outPath = builtins.concatStringsSep "" (builtins.genList (_: "0123456789") 100000); }`,
  number: `{ drvPath = 1; outPath = 2; system = 3; }`,
  nothing: `null`,
} as const;

test("what a host claims to be built is not believed, and costs the others nothing", async ({ homelab }) => {
  const host = (name: string, toplevel: string, warnings = "[ ]"): string =>
    `"${name}".config = { warnings = ${warnings}; system.build.toplevel = ${toplevel}; };`;
  const flood = `builtins.genList (i: builtins.concatStringsSep "" (builtins.genList (j: "0123456789abcdef") 65536)) 20`;
  const flake = `{
    outputs = _: let
      plain = builtins.unsafeDiscardStringContext;
      derivationOf = name: derivation {
        inherit name; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
        args = [ "-c" "echo built > $out" ];
      };
      good = derivationOf "good";
      other = derivationOf "other";
    in { nixosConfigurations = {
      ${host("good", "good")}
      ${host("other", "other")}
      ${host("flood", "good", flood)}
      ${host("foreign", `good // { system = "riscv64-linux"; }`)}
      ${Object.entries(lies)
        .map(([name, toplevel]) => host(name, toplevel))
        .join("\n")}
    }; };
  }`;
  const files = {
    "flake.nix": flake,
    "flake.lock": '{ "nodes": { "root": {} }, "root": "root", "version": 7 }',
  };
  await homelab.fleet.commit({}, { files });
  await homelab.startBuilder();
  expect((await homelab.run(["build", "other"])).exitCode).toBe(0);

  const { exitCode, verdicts, state } = await buildAll(homelab);
  expect(verdicts).toEqual({
    good: expect.stringMatching(/^(?:built|unchanged)$/),
    other: "unchanged",
    // Twenty mebibytes of warnings are no failure; the event has the beginning of each.
    flood: expect.stringMatching(/^(?:built|unchanged)$/),
    // Its system is what its derivation says.
    foreign: expect.stringMatching(/^(?:built|unchanged)$/),
    ...Object.fromEntries(Object.keys(lies).map((name) => [name, "eval-failed"])),
  });
  expect(exitCode).toBe(1);
  const reasons = Object.fromEntries(
    [...state.hosts.values()].map(({ host: name, finished }) => [name, finished?.reason ?? ""]),
  );
  expect(reasons).toMatchObject({
    outside: expect.stringMatching(
      /^the outPath of its toplevel, "\/etc\/passwd", is not an output of its der/,
    ),
    "other-output": expect.stringContaining("is not an output of its derivation"),
    named: expect.stringMatching(/^its toplevel is not a derivation: its drvPath is text/),
  });
  // Nor is it asked for again.
  const again = await buildAll(homelab);
  expect(again.verdicts).toEqual({
    ...verdicts,
    good: "unchanged",
    flood: "unchanged",
    foreign: "unchanged",
  });
});

test("a host whose build forges Nix's messages changes nobody's verdict", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 3, salt: "forged", buildFail: { host01: "fakejson" } });
  const { exitCode, verdicts, state } = await buildAll(homelab);
  expect(verdicts).toEqual({ host01: "build-failed", host02: "built", host03: "built" });
  expect(state.failures).toMatchObject([{ exitCode: 1, kind: "failed" }]);
  expect(exitCode).toBe(1);
});

// Nix before 2.29 ends at the first derivation that nothing can build, with everything else unbuilt.
test("a host that needs what no builder has leaves the others alone", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 4, salt: "features", features: { host02: ["quantum"] } });
  const { verdicts, state } = await buildAll(homelab);
  expect(verdicts).toEqual({ host01: "built", host02: "skipped", host03: "built", host04: "built" });
  const skipped = [...state.hosts.values()].find(({ host }) => host === "host02");
  expect(skipped?.finished?.reason).toMatch(/no builder .*with features \{quantum\}/);
});

test("names that cannot be used are said, and never reach Nix or NATS", async ({ homelab }) => {
  const odd = ['a"q', "${x}", "-dash", "with space", "ünï", "a/b", "*", ">", "new\nline", ""];
  await homelab.fleet.commit({ hosts: 1, salt: "names", extraHosts: ["web.example.com", ...odd] });
  const { verdicts, state, exitCode } = await buildAll(homelab);
  expect(verdicts).toEqual({ host01: "built", "web.example.com": "built" });
  expect(state.skipped.map(({ host }) => host).toSorted()).toEqual(odd.toSorted());
  expect(exitCode).toBe(0);
});

test("three hundred hosts", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 300, salt: "many", perHostDrvs: 0 });
  const { exitCode, verdicts } = await buildAll(homelab);
  expect(Object.keys(verdicts)).toHaveLength(300);
  expect(new Set(Object.values(verdicts))).toEqual(new Set(["built"]));
  expect(exitCode).toBe(0);
}, 180_000);
