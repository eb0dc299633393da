import { expect, test } from "vitest";
import { isSameRepository } from "./shared-repository.ts";

test.each([
  ["https://git.lan/infra/nixos.git", "https://git.lan/infra/nixos", true],
  ["https://git.lan/infra/nixos.git", "ssh://git@git.lan:2222/infra/nixos.git", true],
  ["https://GIT.lan/infra/nixos/", "https://git.lan/infra/nixos", true],
  ["file:///srv/nixos.git", "file:///srv/nixos.git", true],
  ["https://git.lan/infra/nixos", "https://git.lan/infra/nixos-servers", false],
  ["https://git.lan/infra/nixos", "https://github.com/infra/nixos", false],
])("%s and %s: %s", (one, other, expected) => {
  expect(isSameRepository(one, other)).toBe(expected);
});
