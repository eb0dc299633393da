import { expect, test } from "vitest";
import { decideAdmission, requireClosed, type GateSettings } from "./gate.ts";

const open: GateSettings = { allowedHosts: ["localhost", "deploy.lan", "[::1]"], auth: { mode: "none" } };
const behind: GateSettings = {
  ...open,
  auth: { mode: "proxy", trustedProxies: ["10.0.0.2"], secret: "s3cret" },
};
const proxied = { "x-proxy-secret": "s3cret" };

test.each<
  [
    string,
    GateSettings,
    { method?: string; host?: string; from?: string; headers?: Record<string, string | string[]> },
    number | string,
  ]
>([
  ["the loopback", open, {}, "somebody"],
  ["a port", open, { host: "deploy.lan:8080" }, "somebody"],
  ["IPv6", open, { host: "[::1]:9482" }, "somebody"],
  ["capitals", open, { host: "Deploy.LAN" }, "somebody"],
  ["HEAD", open, { method: "HEAD" }, "somebody"],
  ["POST", open, { method: "POST" }, 405],
  ["another name", open, { host: "evil.example" }, 421],
  ["no name", open, { host: "" }, 421],
  ["a user that nobody vouches for", open, { headers: { "x-remote-user": "kai" } }, 400],
  ["the proxy", behind, { from: "10.0.0.2", headers: { ...proxied, "x-remote-user": "kai" } }, "kai"],
  [
    "the proxy over IPv6",
    behind,
    { from: "::ffff:10.0.0.2", headers: { ...proxied, "x-remote-user": "kai" } },
    "kai",
  ],
  ["the proxy without a user", behind, { from: "10.0.0.2", headers: proxied }, "somebody"],
  ["a stranger", behind, { from: "10.0.0.9" }, 403],
  ["a stranger with the secret", behind, { from: "10.0.0.9", headers: proxied }, 400],
  [
    "the proxy's address without the secret",
    behind,
    { from: "10.0.0.2", headers: { "x-remote-user": "kai" } },
    400,
  ],
  ["a name that came twice", open, { headers: { host: ["localhost", "evil.example"] } }, 421],
  [
    "a user that came twice",
    behind,
    { from: "10.0.0.2", headers: { ...proxied, "x-remote-user": ["eve", "kai"] } },
    400,
  ],
  [
    "a secret that came twice",
    behind,
    { from: "10.0.0.2", headers: { "x-proxy-secret": ["s3cret", "s3cret"], "x-remote-user": "kai" } },
    400,
  ],
  ["a wrong secret", behind, { from: "10.0.0.2", headers: { "x-proxy-secret": "s3creT" } }, 400],
])(
  "%s",
  (_, settings, { method = "GET", host = "localhost", from = "127.0.0.1", headers = {} }, expected) => {
    const admission = decideAdmission(
      { method, headers: { host, ...headers }, remoteAddress: from },
      settings,
    );
    expect(admission.type === "refused" ? admission.status : (admission.user ?? "somebody")).toBe(expected);
  },
);

test("without a proxy it listens on the loopback only", () => {
  expect(() => requireClosed("127.0.0.1", "none")).not.toThrow();
  expect(() => requireClosed("[::1]", "none")).not.toThrow();
  expect(() => requireClosed("0.0.0.0", "none")).toThrow(/open to everybody/);
  expect(() => requireClosed("127.0.0.1.evil.example", "none")).toThrow(/open to everybody/);
  expect(() => requireClosed("0.0.0.0", "proxy")).not.toThrow();
});
