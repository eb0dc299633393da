// Orders that root applies on hosts with a real systemd: try, prove, make permanent, or go back.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPartOf, parseNarInfo } from "../../src/narinfo/narinfo.ts";
import { encodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { daemon, type SystemSpecification } from "../support/lab/fake-systems.ts";
import type { LabHost } from "../support/lab/lab-host.ts";
import { checkoutInHost, nodeInHost, startLab, whyNoLab, type Lab } from "../support/lab/lab.ts";
import { serveNarCache, type NarCache } from "../support/nar-cache.ts";
import { signedOrder, somePolicy } from "../support/deploy-orders.ts";

const why = whyNoLab();
if (why !== undefined) console.log(`Deployments on real hosts are not tested: ${why}`);

const program = [nodeInHost, `${checkoutInHost}/src/cli/main.ts`, "host"];

describe.skipIf(why !== undefined)("a host that is deployed to by hand", () => {
  let lab: Lab;
  let web01: LabHost;
  let cache: NarCache;
  let cacheUrl: string;
  let a: StorePath;
  let systems: Readonly<Record<string, StorePath>>;

  const policyOf = (more: object = {}): string =>
    new TextDecoder().decode(
      encodeHostPolicy(
        somePolicy({
          trustedCacheKeys: [lab.cacheKey],
          minFreeBytes: 0,
          timeouts: { settle: 1, confirm: 3, activate: 6 },
          ...more,
        }),
      ),
    );
  const system = (version: string, more: SystemSpecification = {}): SystemSpecification => ({
    version: `26.05.${version}.aaaaaaa`,
    ...more,
    etc: { "homelab-deploy/host.json": policyOf(), ...more.etc },
    units: { "web.service": daemon(version), "homelab-deploy-listener.service": daemon(), ...more.units },
  });

  beforeAll(async () => {
    lab = await startLab();
    const specification = {
      first: system("20261101"),
      good: system("20261102"),
      failing: system("20261103", { units: { "web.service": "[Service]\nExecStart=/bin/false\n" } }),
      hanging: system("20261104", { hooks: { afterEtc: "sleep 600" } }),
      lyingBoot: system("20261105", { bootWritesNothing: true }),
      kernel: system("20261106", { initInterface: "systemd 3", kernel: "6.18" }),
      slow: system("20261107", { hooks: { afterEtc: "sleep 3" } }),
    };
    const paths = await lab.build("web01", Object.values(specification));
    systems = Object.fromEntries(
      Object.keys(specification).map((name, index) => [name, paths[index] as StorePath]),
    );
    a = systems["first"] as StorePath;
    cache = await serveNarCache(lab.cacheDirectory, { host: lab.address });
    cacheUrl = `http://${lab.address}:${new URL(cache.url).port}`;
  });
  afterAll(async () => {
    await cache[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  /** A host that runs the first system, and the cache that it asks. */
  async function install(name: string): Promise<LabHost> {
    const host = await lab.install(name, a);
    const nixConf = await host.readFile("/etc/nix/nix.conf");
    await host.writeFile("/etc/nix/nix.conf", `${nixConf}\nsubstituters = ${cacheUrl}\n`);
    // As its unit does at every boot: the journal begins.
    await host.run(...program, "recover", "--boot");
    return host;
  }

  /** As the cache says it, and signs. */
  async function narHashOf(path = ""): Promise<string> {
    const file = join(lab.cacheDirectory, `${hashPartOf(path as StorePath)}.narinfo`);
    return parseNarInfo(await readFile(file, "utf8")).narHash;
  }

  async function apply(host: LabHost, name: string, order: object = {}) {
    const path = systems[name];
    const { running } = await host.runs();
    const { envelope } = signedOrder({
      now: new Date(),
      order: { path, expects: { running }, host: "web01", serial: Date.now(), ...order },
      statement: { path, narHash: await narHashOf(path) },
    });
    await host.writeFile("/root/order.json", new TextDecoder().decode(envelope));
    return host.exec([...program, "apply", "/root/order.json", "--confirm"]);
  }

  test("a good system is activated, proven and permanent", async () => {
    web01 = await install("web01");
    const applied = await apply(web01, "good");
    expect(applied).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("completed") });
    const good = systems["good"];
    expect(await web01.runs()).toMatchObject({
      running: good,
      permanent: good,
      bootDefault: good,
      generation: 2,
    });
    await web01.reboot();
    expect(await web01.runs()).toMatchObject({ running: good, booted: good });
  });

  test.each([
    ["failing", "UNHEALTHY"],
    ["hanging", "ACTIVATION_FAILED"],
    ["lyingBoot", "BOOT_NOT_INSTALLED"],
  ])("a system that is %s is undone", async (name, code) => {
    const before = await web01.runs();
    const applied = await apply(web01, name);
    expect(applied, applied.stdout + applied.stderr).toMatchObject({ exitCode: 1 });
    expect(applied.stdout).toMatch(new RegExp(`rolled back: .*\\(${code}\\)`));
    expect(await web01.runs()).toMatchObject(before);
    expect((await web01.run("systemctl", "is-active", "web.service")).trim()).toBe("active");
  });

  test("a system that must be booted waits for it, and is proven then", async () => {
    const before = await web01.runs();
    const applying = apply(web01, "kernel");
    await expect.poll(async () => (await web01.runs()).bootDefault).toBe(systems["kernel"]);
    expect((await web01.runs()).running).toBe(before.running);
    await web01.reboot();
    await applying;
    await web01.run(...program, "recover", "--boot");
    expect(await web01.runs()).toMatchObject({ running: systems["kernel"], booted: systems["kernel"] });
  });
});
