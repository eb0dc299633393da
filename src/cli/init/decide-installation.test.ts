import { expect, test } from "vitest";
import { parseRepoName } from "../../protocol/names.ts";
import { decideInstallation, placeOf, type Answers, type Circumstances } from "./decide-installation.ts";

const answers: Answers = {
  form: "systemd",
  nats: "nats://127.0.0.1:4222",
  natsVersion: "2.10.27",
  cacheKeys: [],
  builders: ["cache01"],
  operators: ["kai"],
  ci: [],
  updaters: [],
  dashboards: [],
  hosts: [],
};
const here: Circumstances = {
  directory: "/root/homelab",
  program: "/opt/homelab-deploy/bin/homelab-deploy",
  path: [],
  repos: { [parseRepoName("nixos")]: { url: "https://git.lan/nixos.git", branch: "main" } },
};
const served = { cacheUrl: "http://cache.lan:5000", cacheKeys: ["k"] };

test.each<[Partial<Answers>, Partial<Circumstances>, string]>([
  [{}, { repos: {} }, "nothing to build was named"],
  [{}, { directory: "/root/my homelab" }, "the directory"],
  [{}, { program: "/opt/$(reboot)" }, "--program"],
  [{ nats: "http://nats.lan" }, {}, "is not an address of NATS"],
  [{ nats: "nats://nats.lan:99999" }, {}, "is not an address of NATS"],
  [{ nats: "tls://nats.lan" }, {}, "needs the certificate"],
  [{ nats: "tls://nats.lan", tlsCert: "cert.pem", tlsKey: "/k" }, {}, "--nats-tls-cert"],
  [{ tlsCert: "/c", tlsKey: "/k" }, {}, "is an address without TLS"],
  [{ cacheUrl: "http://cache.lan" }, {}, "public key of http://cache.lan"],
  [{ cacheKeys: ["k"] }, {}, "and no cache"],
  [{ hosts: ["nixos/web01"] }, {}, "need a binary cache"],
  [{ ...served, hosts: ["web01"] }, {}, "does not name its repo"],
  [{ ...served, hosts: ["other/web01"] }, {}, "of a repo that was not named"],
  [{ builders: [] }, {}, "there is no builder"],
  [{ builders: ["cache.01"] }, {}, "builder"],
  [{ operators: ["kai", "kai"] }, {}, "there twice"],
  [{ operators: ["kai; reboot"] }, {}, "cannot be a name"],
])("%j with %j is refused: %s", (changes, around, message) => {
  expect(() => decideInstallation({ ...answers, ...changes }, { ...here, ...around })).toThrow(message);
});

test("what is used on machines is in /etc, what runs in place stays, and the admin's key goes nowhere", () => {
  const plan = decideInstallation(answers, here);
  expect(placeOf(plan, "builder-cache01")).toBe("/etc/homelab-deploy/builder-cache01");
  expect(placeOf(plan, "admin")).toBe("/root/homelab/admin");
  const inPlace = decideInstallation({ ...answers, form: "in-place" }, here);
  expect(placeOf(inPlace, "builder-cache01")).toBe("/root/homelab/builder-cache01");
});

test("an address without a port is that of NATS, and only the loopback is one machine", () => {
  expect(decideInstallation({ ...answers, nats: "nats://localhost" }, here).nats).toMatchObject({
    url: "nats://localhost:4222",
    isLoopback: true,
  });
  const tls = { nats: "tls://nats.lan:4333", tlsCert: "/c.pem", tlsKey: "/k.pem", tlsCa: "/ca.pem" };
  expect(decideInstallation({ ...answers, ...tls }, here).nats).toMatchObject({
    url: "tls://nats.lan:4333",
    isLoopback: false,
    tls: { certFile: "/c.pem", keyFile: "/k.pem" },
    caFile: "/ca.pem",
  });
});
