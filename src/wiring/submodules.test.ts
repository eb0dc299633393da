import { expect, test } from "vitest";
import { submoduleRules, submodulesOrigin } from "./submodules.ts";

const mirror = "/state/mirrors/nixos.git";

test.each([
  ["https://git.lan/me/nixos.git", "https://git.lan/me/homelab-deploy.nixos.mirror"],
  ["https://git.lan/me/nixos/", "https://git.lan/me/homelab-deploy.nixos.mirror"],
  ["ssh://git@git.lan:2222/nixos", "ssh://git@git.lan:2222/homelab-deploy.nixos.mirror"],
  ["file:///srv/nixos", "ssh://homelab-deploy.invalid/srv/homelab-deploy.nixos.mirror"],
])("of %s, what is beside it stays beside it", (url, origin) => {
  expect(submodulesOrigin("nixos", { url, submodules: true })).toBe(origin);
});

test("a repo whose submodules are left alone is where our copy is", () => {
  const settings = { url: "https://git.lan/me/nixos.git", submodules: false };
  expect(submodulesOrigin("nixos", settings)).toBeUndefined();
  expect(submoduleRules("nixos", settings, mirror)).toBe("");
});

test("git is told where our copy is, and what is below the repo", () => {
  expect(submoduleRules("nixos", { url: "https://git.lan/me/nixos.git", submodules: true }, mirror)).toBe(
    `[url "file:///state/mirrors/nixos.git"]
\tinsteadOf = "https://git.lan/me/homelab-deploy.nixos.mirror"
[url "https://git.lan/me/nixos.git/"]
\tinsteadOf = "https://git.lan/me/homelab-deploy.nixos.mirror/"
`,
  );
});
