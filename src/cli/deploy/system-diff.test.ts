import { expect, test } from "vitest";
import type { Closure } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { plainStyle } from "../print/style.ts";
import { renderDiff } from "../print/pages/diff-page.ts";
import { diffSystems } from "./system-diff.ts";

/** `name#digit`: the digit stands for the content. */
const closure = (...names: readonly string[]): Closure => ({
  paths: names.map((name) => {
    const [base = "", content = "0"] = name.split("#");
    return { path: `/nix/store/${content.repeat(32)}-${base}` as StorePath, size: 1024 };
  }),
  boot: {},
});

const before = closure(
  "linux-6.6.1",
  "nginx-1.26.0",
  "htop-3.3",
  "unit-nginx.service",
  "unit-old.timer",
  "initrd-linux-6.6.1",
);
const after = closure(
  "linux-6.6.2",
  "nginx-1.26.2#1",
  "jq-1.7",
  "unit-nginx.service#1",
  "unit-new.socket",
  "initrd-linux-6.6.1",
);

test("packages by version, units by content, and what needs a reboot by the names of nixpkgs", () => {
  const diff = diffSystems(before, after);
  expect(diff).toMatchObject({
    reboot: ["kernel"],
    units: { added: ["new.socket"], removed: ["old.timer"], changed: ["nginx.service"] },
  });
  expect(renderDiff(diff, plainStyle, { from: "old", to: "new" })).toMatchInlineSnapshot(`
    "old -> new
      htop: gone, 3.3
      jq: new, 1.7
      linux: 6.6.1 -> 6.6.2
      nginx: 1.26.0 -> 1.26.2
    Units added: new.socket
    Units removed: old.timer
    Units changed: nginx.service
    A reboot is needed for kernel
    Closure: 6.0 KiB, +0 B
    "
  `);
});

test("a closure that was read from the store says itself what its boot parts are", () => {
  const withBoot = (kernel: string): Closure => ({ ...before, boot: { kernel, systemd: "s" } });
  expect(diffSystems(withBoot("a"), withBoot("b")).reboot).toEqual(["kernel"]);
  expect(diffSystems(withBoot("a"), withBoot("a")).reboot).toEqual([]);
});

test("nothing changes where nothing changed", () => {
  expect(diffSystems(before, before)).toMatchObject({ packages: [], reboot: [], sizeDelta: 0 });
});
