import * as v from "valibot";
import { expect, test } from "vitest";
import { StorePath } from "../../protocol/names.ts";
import { diffClosures, mergeDiffs, rebootParts, splitName } from "./closure-diff.ts";
import type { BootParts, Closure } from "../store.ts";

const path = (name: string, hash = "0"): StorePath =>
  v.parse(StorePath, `/nix/store/${hash.repeat(32)}-${name}`);
const closure = (sizes: Readonly<Record<string, number>>, boot: BootParts = {}): Closure => ({
  paths: Object.entries(sizes).map(([name, size]) => ({ path: path(name), size })),
  boot,
});

test.each([
  ["openssl-3.0.14", "openssl", "3.0.14"],
  ["openssl-3.0.14-bin", "openssl", "3.0.14"],
  ["glibc-2.40-66", "glibc", "2.40-66"],
  ["python3.12-requests-2.32.3", "python3.12-requests", "2.32.3"],
  ["gcc-13.3.0-lib32", "gcc", "13.3.0"],
  ["etc", "etc", ""],
  ["x-_1", "x", "_1"],
  ["unit-script", "unit", ""],
  ["linux-6.18.4-modules", "linux", "6.18.4"],
  ["x-unstable-2026-01-01", "x-unstable", "2026-01-01"],
])("%s is %s in version %s", (name, expected, version) => {
  expect(splitName(path(name))).toEqual({ name: expected, version });
});

test("says which versions came and went, and how much larger it is", () => {
  const before = closure({
    "openssl-3.0.13": 100,
    "openssl-3.0.13-bin": 50,
    "bash-5.2": 10,
    "gone-1": 5,
    etc: 1,
  });
  const after = closure({
    "openssl-3.0.14": 120,
    "openssl-3.0.14-bin": 50,
    "bash-5.2": 10,
    "new-2": 7,
    etc: 2,
  });
  expect(diffClosures(before, after)).toEqual({
    packages: [
      { name: "gone", removed: ["1"], added: [] },
      { name: "new", removed: [], added: ["2"] },
      { name: "openssl", removed: ["3.0.13"], added: ["3.0.14"] },
    ],
    // A version that changed says more than what comes or goes.
    notable: [
      { name: "openssl", removed: ["3.0.13"], added: ["3.0.14"] },
      { name: "new", removed: [], added: ["2"] },
      { name: "gone", removed: ["1"], added: [] },
    ],
    size: 189,
    sizeDelta: 23,
    reboot: [],
  });
});

test("of what changes, NixOS, the kernel and systemd come first, then what is largest", () => {
  const before = { "a-1": 1, "firefox-1": 1, "linux-6.1": 1, "systemd-257": 1, "nixos-system-web-1": 1 };
  const after = { "a-2": 1, "firefox-2": 900, "linux-6.2": 1, "systemd-258": 5, "nixos-system-web-2": 1 };
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`z${index}-1`, 0]));
  const { notable, packages } = diffClosures(closure(before), closure({ ...after, ...many }));
  expect(packages).toHaveLength(25);
  expect(notable.map(({ name }) => name).slice(0, 6)).toEqual([
    "nixos-system-web",
    "systemd",
    "linux",
    "firefox",
    "a",
    "z0",
  ]);
  expect(notable).toHaveLength(12);
});

test("a package in the same version is not said, whatever its size", () => {
  expect(diffClosures(closure({ "a-1": 0 }), closure({ "a-1": 9000 }))).toMatchObject({
    packages: [],
    sizeDelta: 9000,
  });
});

test("says what only changes with a reboot", () => {
  const boot: BootParts = {
    kernel: "/nix/store/a/bzImage",
    "kernel-params": "quiet",
    systemd: "/nix/store/s",
  };
  expect(rebootParts(boot, boot)).toEqual([]);
  expect(rebootParts(boot, { ...boot, kernel: "/nix/store/b/bzImage", "kernel-params": "loud" })).toEqual([
    "kernel",
    "kernel-params",
  ]);
  expect(rebootParts(boot, { ...boot, initrd: "/nix/store/i" })).toEqual(["initrd"]);
});

test("says the same change on many hosts once", () => {
  const diff = (...changes: readonly (readonly [string, string, string])[]) => ({
    packages: changes.map(([name, removed, added]) => ({
      name,
      removed: [removed],
      added: [added],
    })),
    sizeDelta: 1,
    reboot: [],
  });
  const merged = mergeDiffs(
    new Map([
      ["web", diff(["a", "1", "2"], ["b", "1", "2"])],
      ["db", diff(["b", "1", "2"])],
      ["nas", diff(["b", "1", "3"])],
    ]),
  );
  expect(merged).toEqual([
    { name: "b", removed: ["1"], added: ["2"], hosts: ["web", "db"] },
    { name: "a", removed: ["1"], added: ["2"], hosts: ["web"] },
    { name: "b", removed: ["1"], added: ["3"], hosts: ["nas"] },
  ]);
});
