import { expect, test } from "vitest";
import type { BuildUser } from "./build-user.ts";
import { unsafeSettings } from "./unsafe-settings.ts";

const user: BuildUser = { name: "homelab-deploy", groups: ["homelab-deploy", "builders"] };
const safe = {
  sandbox: true,
  "sandbox-fallback": false,
  "sandbox-paths": ["/bin/sh=/nix/store/x-busybox/bin/busybox"],
  "trusted-users": ["root"],
  "allowed-users": ["root", "homelab-deploy"],
  "accept-flake-config": false,
  "require-sigs": true,
  "min-free": 0,
  "auto-optimise-store": false,
  "keep-outputs": false,
  "max-jobs": 4,
};

test("settings as they should be are not mentioned, nor are those that this Nix does not have", () => {
  expect(unsafeSettings(safe, user)).toEqual([]);
  expect(unsafeSettings({}, user)).toEqual([]);
});

test("the paths of the sandbox are read as 2.34 has them too", () => {
  const shell = { "/bin/sh": { optional: false, source: "/usr/bin/bash-static" } };
  const nixStore = { "/nix/store/x-y": { optional: false, source: "/nix/store/x-y" } };
  const judged = (paths: object) => unsafeSettings({ ...safe, "sandbox-paths": paths }, user);
  expect(judged({ ...shell, ...nixStore })).toEqual([]);
  expect(judged({})).toEqual([]);
  expect(
    judged({
      "/a": { optional: true, source: "/b" },
      ...shell,
      "/etc/foo": { optional: false, source: "/etc/foo" },
    }),
  ).toMatchObject([
    { setting: "sandbox-paths", severity: "warning", is: "/a=/b? /bin/sh=/usr/bin/bash-static /etc/foo" },
  ]);
});

test.each([
  ["sandbox", false, "wrong"],
  ["sandbox", "relaxed", "wrong"],
  ["sandbox-fallback", true, "warning"],
  ["sandbox-paths", ["/etc/secrets"], "warning"],
  ["trusted-users", ["root", "homelab-deploy"], "wrong"],
  ["trusted-users", ["root", "@builders"], "wrong"],
  ["trusted-users", ["*"], "wrong"],
  ["trusted-users", ["root", "alice"], "warning"],
  ["trusted-users", ["root", "@wheel"], "warning"],
  ["allowed-users", ["*"], "warning"],
  ["allowed-users", ["root", "@wheel"], "wrong"],
  ["accept-flake-config", true, "wrong"],
  ["require-sigs", false, "wrong"],
  ["min-free", 1_073_741_824, "warning"],
  ["auto-optimise-store", true, "warning"],
  ["keep-outputs", true, "warning"],
  ["max-jobs", 0, "warning"],
])("%s = %j is named as %s, with what to write instead", (setting, value, severity) => {
  const found = unsafeSettings({ ...safe, [setting]: value }, user);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ setting, severity });
  expect(found[0]?.instead).toContain(setting.replace("sandbox-paths", "extra-sandbox-paths"));
});

test("root builds whatever allowed-users says, and is trusted anyway", () => {
  const root: BuildUser = { name: "root", groups: ["root"] };
  expect(unsafeSettings({ ...safe, "allowed-users": ["alice"] }, root)).toEqual([]);
});
