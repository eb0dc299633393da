import { expect, test } from "vitest";
import { nixEnvironment } from "./nix-environment.ts";

test("what Nix is given: its store and the network, nothing else of ours", () => {
  const inherited = {
    PATH: "/bin",
    NIX_REMOTE: "daemon",
    HOME: "/root",
    NIX_CONFIG: "sandbox = false",
    SECRET: "s",
  };
  const environment = nixEnvironment(inherited, "/state/nix");
  expect(environment).toMatchObject({ PATH: "/bin", NIX_REMOTE: "daemon", HOME: "/state/nix/home" });
  expect(environment).not.toHaveProperty("NIX_CONFIG");
  expect(environment).not.toHaveProperty("SECRET");
});

test("ssh to a machine that is gone ends within a minute, unless its options are the operator's", () => {
  expect(nixEnvironment({}, "/n")["NIX_SSHOPTS"]).toContain("-oServerAliveInterval=15");
  expect(nixEnvironment({ NIX_SSHOPTS: "-p 2222" }, "/n")["NIX_SSHOPTS"]).toBe("-p 2222");
});
