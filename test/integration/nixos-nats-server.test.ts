// What the NixOS module of nats-server makes: the configuration that `nats config` prints, for one server or a node of a cluster.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import {
  evaluateModules,
  natsConfigurationOf,
  nixpkgsLibs,
  whyWithoutLib,
} from "../support/nixos-modules.ts";

const root = join(import.meta.dirname, "../..");
const clusterFile = `import ${join(root, "test/nixos-modules/nats-cluster.nix")}`;
const option = "services.homelab-deploy.natsServer";
const natsServer = process.env["NATS_SERVER_BIN"] ?? "nats-server";

let store: ThrowAwayStore;
beforeAll(async () => {
  store = await createThrowAwayStore();
});
afterAll(() => store.remove());

test("the modules are evaluated with a real nixpkgs.lib, in the tests below", ({ skip }) => {
  skip(nixpkgsLibs.length === 0, whyWithoutLib);
  expect(nixpkgsLibs.map((lib) => existsSync(join(lib, "modules.nix")))).not.toContain(false);
});

describe.each(nixpkgsLibs)("with the nixpkgs.lib in %s", (lib) => {
  const evaluate = (configuration: string) => evaluateModules(store, lib, { configuration });
  const nodeWith = (lines: string): string =>
    `{ lib, ... }: { imports = [ (${clusterFile}) ]; ${option} = { ${lines} }; }`;
  const refusals = async (lines: string): Promise<string> =>
    evaluate(nodeWith(lines)).then(
      ({ failed }) => failed.join("\n"),
      (error: unknown) => String(error),
    );

  test("a node has its name, its routes and TLS among the nodes, and its files as credentials", async () => {
    const node = await evaluate(clusterFile);
    expect([node.failed, node.warnings]).toEqual([[], []]);
    expect(node.ports).toEqual([4222, 6222]);
    expect(node.services["nats"]?.serviceConfig["LoadCredential"]).toEqual([
      "cert.pem:/run/secrets/nats1.pem",
      "key.pem:/run/secrets/nats1.key",
      "ca.pem:/etc/ssl/cluster-ca.pem",
    ]);
    const config = natsConfigurationOf(node);
    expect(config).toContain('server_name: "nats1"');
    expect(config).toContain('client_advertise: "nats1.lan"');
    expect(config).toContain('domain: "hub"');
    expect(config).toContain('http: "127.0.0.1:8222"');
    expect(config).toContain("_INBOX_builder-nix-cache01");
    expect(/^cluster \{\n(?:.*\n)*?\}$/m.exec(config)?.[0]).toBe(`cluster {
  name: homelab
  listen: "10.0.0.1:6222"
  advertise: "nats1.lan"
  routes: [
    "nats-route://nats1.lan:6222"
    "nats-route://nats2.lan:6222"
    "nats-route://nats3.lan:6222"
  ]
  tls {
    cert_file: "/run/credentials/nats.service/cert.pem"
    key_file: "/run/credentials/nats.service/key.pem"
    ca_file: "/run/credentials/nats.service/ca.pem"
    verify: true
    timeout: 5
  }
}`);
  });

  test("nats-server takes the configuration of a node and of one that is alone", async ({ skip }) => {
    skip(spawnSync(natsServer, ["--version"]).error !== undefined, "there is no nats-server");
    const onLoopback = `listen = lib.mkForce "127.0.0.1:4222"; openFirewall = lib.mkForce false; tls = lib.mkForce null;
      natsPackage = { type = "derivation"; name = "nats-server"; outPath = "/nats"; version = "2.9.10"; };`;
    for (const cluster of [
      "null",
      '{ name = "homelab"; node = "n2"; routes = [ "127.0.0.1:6223" "localhost:6224" ]; }',
    ]) {
      const evaluated = await evaluate(nodeWith(`${onLoopback} cluster = lib.mkForce ${cluster};`));
      expect(evaluated.failed).toEqual([]);
      expect(evaluated.ports).toEqual([]);
      const file = join(store.directory, "nats.conf");
      const text = natsConfigurationOf(evaluated).replace("/var/lib/nats/jetstream", store.directory);
      writeFileSync(file, text);
      expect(spawnSync(natsServer, ["-t", "-c", file], { encoding: "utf8" })).toMatchObject({ status: 0 });
      expect(text.includes("cluster {")).toBe(cluster !== "null");
    }
  });

  test.each([
    ["routes between machines without TLS", "tls = lib.mkForce null;", /set .*natsServer\.tls with caFile/],
    ["without the authority of the nodes", "tls.caFile = lib.mkForce null;", /set .*tls with caFile/],
    ["monitoring pages for everybody", 'monitoring = lib.mkForce "0.0.0.0:8222";', /use 127\.0\.0\.1/],
    [
      "an open port of the loopback",
      'listen = lib.mkForce "127.0.0.1:4222";',
      /openFirewall is of no use while/,
    ],
    ["a route that is no address", 'cluster.routes = [ "nats4.lan" ];', /strMatching|pattern|not of type/],
    ["a seed in the place of a public key", 'users.admin = lib.mkForce "SUAB";', /not of type|pattern/],
    ["a certificate in the store", "tls.certFile = lib.mkForce ./cert.pem;", /not of type/],
  ])("%s is refused", async (_, lines, words) => {
    expect(await refusals(lines)).toMatch(words);
  });

  test("nothing is set up where it is not enabled", async () => {
    const { services, ports } = await evaluate("{ ... }: { }");
    expect([services["nats"], ports]).toEqual([undefined, []]);
  });
});
