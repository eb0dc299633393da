import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainText } from "../../src/base/terminal-text.ts";
import { diffClosures, mergeDiffs } from "../../src/nix/store/closure-diff.ts";
import { createClosureReader } from "../../src/nix/store/closure.ts";
import { nixEnvironment, prepareNixDirectory } from "../../src/nix/nix-environment.ts";
import type { Closure } from "../../src/nix/store.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { StorePath } from "../../src/protocol/names.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const signal = new AbortController().signal;

let store: ThrowAwayStore;
let readClosure: (path: StorePath, signal: AbortSignal) => Promise<Closure>;
beforeAll(async () => {
  store = await createThrowAwayStore();
  const directory = join(store.directory, "ours");
  await prepareNixDirectory(directory);
  ({ readClosure } = createClosureReader({
    exec: createExec(),
    environment: nixEnvironment(store.environment, directory),
  }));
});
afterAll(async () => store.remove());

/** A toplevel with links to a kernel and systemd, and with packages of these names and sizes in KiB. */
async function build(kernel: string, packages: Readonly<Record<string, number>>): Promise<StorePath> {
  const sized = Object.entries(packages).map(([name, size]) => `(package "${name}" ${size})`);
  const expression = `
    let
      make = name: script: derivation {
        inherit name; system = builtins.currentSystem; builder = "/bin/sh";
        args = [ "-c" "PATH=/bin:/usr/bin; \${script}" ];
      };
      package = name: size: make name "head -c \${toString (size * 1024)} /dev/zero > $out";
      kernel = make "${kernel}" "mkdir $out; echo ${kernel} > $out/bzImage";
    in make "nixos-system-web-26.05" ''
      mkdir $out
      ln -s \${kernel}/bzImage $out/kernel
      ln -s \${package "systemd-257.1" 1} $out/systemd
      echo quiet > $out/kernel-params
      echo "\${toString [ ${sized.join(" ")} ]}" > $out/packages
    ''`;
  return v.parse(StorePath, (await store.run("nix-build", "--no-out-link", "--expr", expression)).trim());
}

test("finds the changes that nix store diff-closures finds, and what needs a reboot", async () => {
  const before = await build("linux-6.18.3", {
    "openssl-3.0.13": 20,
    "openssl-3.0.13-bin": 8,
    "gone-1.0": 4,
    "grown-2.0": 10,
    "same-1": 3,
    "etc-nixos": 1,
    "python3.12-six-1.16": 1,
    "two-1": 1,
    "two-2": 1,
  });
  const after = await build("linux-6.18.4", {
    "openssl-3.0.14": 40,
    "openssl-3.0.14-bin": 8,
    "new-2.0": 4,
    "grown-2.0": 30,
    "same-1": 3,
    "etc-nixos": 1,
    "python3.12-six-1.17": 1,
    "two-2": 1,
    "two-3": 1,
  });
  const diff = diffClosures(await readClosure(before, signal), await readClosure(after, signal));
  expect(diff.reboot).toEqual(["kernel"]);
  expect(diff.sizeDelta).toBeGreaterThan(39 * 1024);

  const said = plainText(await store.run("nix", "store", "diff-closures", before, after));
  const theirs = said.split("\n").filter((line) => line !== "");
  expect(theirs.length).toBeGreaterThan(5);
  expect(diff.packages.map(inWordsOfNix)).toEqual(
    // Those that only grew have a size and no versions.
    theirs.filter((line) => line.includes("→")).map((line) => line.replace(/, [+-]?[\d.]+ KiB$/, "")),
  );
  expect(mergeDiffs(new Map([["web", diff]])).map(({ name }) => name)).toEqual([
    "gone",
    "linux",
    "new",
    "openssl",
    "python3.12-six",
    "two",
  ]);
});

/** `openssl: 3.0.13 → 3.0.14` */
function inWordsOfNix({ name, removed, added }: ReturnType<typeof diffClosures>["packages"][number]): string {
  const versions = (list: readonly string[]): string =>
    list.length === 0 ? "∅" : list.map((version) => (version === "" ? "ε" : version)).join(", ");
  return `${name}: ${versions(removed)} → ${versions(added)}`;
}

test("a system that is not there has no closure", async () => {
  const gone = v.parse(StorePath, `${store.storeDirectory}/${"0".repeat(32)}-nixos-system-web-26.05`);
  await expect(readClosure(gone, signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "STORE_UNAVAILABLE",
  });
});
