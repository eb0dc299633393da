// The units of a host as the NixOS module confines them, in a real systemd: whether what they must do is still possible, and
// who reaches the activator.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as v from "valibot";
import { peerOfInstance } from "../../src/cli/host/peer-of-instance.ts";
import { encodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { base64Of } from "../../src/protocol/deploy/order.ts";
import { daemon, type SystemSpecification } from "../support/lab/fake-systems.ts";
import type { LabHost } from "../support/lab/lab-host.ts";
import { checkoutInHost, nodeInHost, startLab, whyNoLab, type Lab } from "../support/lab/lab.ts";
import { runProgram } from "../support/lab/run-program.ts";
import { signedOrder, somePolicy } from "../support/deploy-orders.ts";
import { renderSection, type UnitSection } from "../support/systemd-unit.ts";

const why = whyNoLab();
if (why !== undefined) console.log(`The units of a host are not tested: ${why}`);

const root = join(import.meta.dirname, "../..");
const Units = v.record(v.string(), v.record(v.string(), v.any()));
const journalDirectory = "/var/lib/homelab-deploy-host";
const listener = "homelab-deploy-listener";
const path = "/usr/sbin:/usr/bin:/sbin:/bin";

describe.skipIf(why !== undefined)("the units of a host", () => {
  let lab: Lab;
  let host: LabHost;
  let sections: Readonly<Record<string, UnitSection>>;
  let policy: string;

  beforeAll(async () => {
    const text = await runProgram("nix-instantiate", [
      "--eval",
      "--strict",
      "--json",
      "--store",
      "dummy://",
      join(root, "nix/modules/units.nix"),
    ]);
    sections = v.parse(Units, JSON.parse(text.orThrow()));
    lab = await startLab();
    policy = new TextDecoder().decode(encodeHostPolicy(somePolicy()));
    const system: SystemSpecification = {
      etc: { "homelab-deploy/host.json": policy },
      units: { "homelab-deploy-listener.service": daemon() },
    };
    const [first] = await lab.build("web01", [system]);
    if (first === undefined) throw new Error("no system was built");
    host = await lab.install("web01", first);
    await host.run("useradd", "--system", "--user-group", listener);
    await host.run("install", "-d", "-m", "2750", "-g", listener, journalDirectory);
    await install("homelab-deploy-recover.service", "homelab-deploy-recover", "recover --boot");
    await install("homelab-deploy-activate@.service", "homelab-deploy-activate@", "answer --peer %i", {
      CollectMode: "inactive-or-failed",
    });
    const socket = {
      ListenStream: "/run/homelab-deploy/activate.sock",
      SocketMode: "0660",
      SocketGroup: listener,
      Accept: true,
      MaxConnections: 8,
      TriggerLimitIntervalSec: 0,
    };
    await write("homelab-deploy-activate.socket", renderSection("Socket", socket));
    await host.run("systemctl", "daemon-reload");
    await host.run("systemctl", "start", "homelab-deploy-recover.service", "homelab-deploy-activate.socket");
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  const write = async (unit: string, text: string): Promise<void> =>
    host.writeFile(`/run/systemd/system/${unit}`, text);

  async function install(unit: string, name: string, command: string, more: UnitSection = {}): Promise<void> {
    const service = {
      ...sections[name],
      Environment: `PATH=${path}`,
      ExecStart: `${nodeInHost} ${checkoutInHost}/src/cli/main.ts host ${command}`,
    };
    await write(unit, [renderSection("Unit", more), renderSection("Service", service)].join("\n"));
  }

  /** One message of a user to the activator, and what came back. */
  async function say(user: string, message: string) {
    const script = `const s = require("net").connect("/run/homelab-deploy/activate.sock");
      s.on("error", (e) => { console.error(e.code); process.exit(1); });
      s.on("data", (d) => process.stdout.write(d));
      s.write(${JSON.stringify(`${message}\n`)});`;
    return host.exec(["runuser", "--user", user, "--", nodeInHost, "--eval", script]);
  }

  test("the recovery has run once, and stays", async () => {
    expect(await host.run("systemctl", "is-active", "homelab-deploy-recover.service")).toBe("active\n");
    expect(await host.run("journalctl", "--unit", "homelab-deploy-recover", "--output", "cat")).toContain(
      "Nothing was left unfinished",
    );
  });

  test("a recovery that fails is tried again, until it has done its work", async () => {
    const mark = "/run/homelab-deploy/mail/tried";
    const recovery = {
      ...sections["homelab-deploy-recover"],
      RestartSec: 1,
      ExecStart: `/bin/sh -c 'test -e ${mark} || { touch ${mark}; exit 1; }'`,
    };
    await write(
      "failing-recovery.service",
      renderSection("Unit", { StartLimitIntervalSec: 0 }) + renderSection("Service", recovery),
    );
    await host.run("systemctl", "daemon-reload");
    expect((await host.exec(["systemctl", "start", "failing-recovery"])).exitCode).toBe(1);
    const state = async () => (await host.exec(["systemctl", "is-active", "failing-recovery"])).stdout;
    await expect.poll(state, { timeout: 60_000 }).toBe("active\n");
    await host.run("systemctl", "stop", "failing-recovery");
  });

  test("clients that say nothing keep the listener from the activator for a few seconds only", async () => {
    const silent = host.exec([
      "runuser",
      "--user",
      listener,
      "--",
      nodeInHost,
      "--eval",
      `const { connect } = require("net");
       for (let i = 0; i < 8; i++) connect("/run/homelab-deploy/activate.sock").on("error", () => 0).resume();`,
    ]);
    const instances = async () =>
      host.run("systemctl", "show", "--property=NConnections", "--value", "homelab-deploy-activate.socket");
    await expect.poll(instances, { timeout: 30_000, interval: 50 }).toBe("8\n");
    const word = `{"type":"network","oldNats":true,"witnesses":[]}`;
    await expect
      .poll(async () => (await say(listener, word)).stdout, { timeout: 60_000 })
      .toBe(`{"answer":"noted"}\n`);
    // They were hung up on, and end.
    expect((await silent).exitCode).toBe(0);
  });

  test("the listener's word arrives, in files of root's", async () => {
    const said = await say(listener, `{"type":"network","oldNats":true,"witnesses":["a:1"]}`);
    expect(said, said.stderr).toMatchObject({ exitCode: 0, stdout: `{"answer":"noted"}\n` });
    expect(await host.run("stat", "--format", "%a %U", "/run/homelab-deploy/mail/network")).toBe(
      "600 root\n",
    );
  });

  test("nobody else can say a word", async () => {
    expect(await say("nobody", `{"type":"network","oldNats":true,"witnesses":[]}`)).toMatchObject({
      exitCode: 1,
      stderr: "EACCES\n",
    });
  });

  test("nonsense is refused, and leaves no failed unit behind", async () => {
    expect(await say(listener, "hello")).toMatchObject({ exitCode: 0, stdout: "" });
    const failed = async () =>
      host.run("systemctl", "list-units", "--all", "--plain", "homelab-deploy-activate@*");
    await expect.poll(failed).toContain("0 loaded units");
    expect(await host.run("journalctl", "--unit", "homelab-deploy-activate@*", "--output", "cat")).toContain(
      "this is not a message for the activator",
    );
  });

  test("an order starts the activation in a unit of its own, whose journal the listener can read", async () => {
    const { envelope } = signedOrder({ now: new Date(), order: { host: "web01", serial: Date.now() } });
    const said = await say(listener, JSON.stringify({ type: "order", envelope: base64Of(envelope) }));
    expect(said, said.stderr).toMatchObject({ exitCode: 0, stdout: `{"answer":"taken"}\n` });
    const journal = async () =>
      host.exec(["runuser", "-u", listener, "--", "cat", `${journalDirectory}/journal`]);
    await expect
      .poll(async () => (await journal()).stdout, { timeout: 30_000 })
      .toMatch(/"type":"(?:received|rejected)"/);
    expect(await host.run("stat", "--format", "%a %U %G", `${journalDirectory}/journal`)).toBe(
      `640 root ${listener}\n`,
    );
  });

  // Root owns the user namespace of PrivateUsers=, and sees into it without a capability; where a kernel has none,
  // CAP_SYS_PTRACE is what it takes.
  test.each([
    ["as the module confines it", {}, { reader: 0, blind: 0 }],
    ["without user namespaces", { PrivateUsers: false }, { reader: 0, blind: 1 }],
  ])("the activator sees which program a listener is, %s", async (_, more, exitCodes) => {
    const confined = { ...sections[listener], Type: "exec", LoadCredential: [], ExecStart: "/bin/sleep 600" };
    await write("confined.service", renderSection("Service", { ...confined, ...more }));
    await host.run("systemctl", "daemon-reload");
    await host.run("systemctl", "restart", "confined.service");
    const pid = (await host.run("systemctl", "show", "--property=MainPID", "--value", "confined")).trim();
    const reader = {
      ...sections["homelab-deploy-recover"],
      RemainAfterExit: false,
      Restart: "no",
      ExecStart: `/bin/readlink /proc/${pid}/exe`,
    };
    await write("reader.service", renderSection("Service", reader));
    await write("blind.service", renderSection("Service", { ...reader, CapabilityBoundingSet: "" }));
    await host.run("systemctl", "daemon-reload");
    for (const [unit, exitCode] of Object.entries(exitCodes)) {
      expect([unit, (await host.exec(["systemctl", "start", unit])).exitCode]).toEqual([unit, exitCode]);
    }
    expect(await host.run("journalctl", "--unit", "reader", "--output", "cat")).toContain("/bin/sleep");
  });

  test("the listener starts as it is confined, while NATS is away, and makes its key", async () => {
    await host.writeFile("/etc/listener.json", JSON.stringify({ nats: { servers: ["nats://127.0.0.1:1"] } }));
    const service = {
      ...sections[listener],
      LoadCredential: [],
      Environment: `PATH=${path}`,
      ExecStart: `${nodeInHost} ${checkoutInHost}/src/cli/main.ts --config /etc/listener.json listener`,
    };
    await write("confined-listener.service", renderSection("Service", service));
    await host.run("systemctl", "daemon-reload");
    const started = await host.exec(["systemctl", "start", "confined-listener"]);
    const log = async () => host.run("journalctl", "--unit", "confined-listener", "--output", "cat");
    expect(started.exitCode, await log()).toBe(0);
    expect(await log()).toMatch(/"publicKey":"U[A-Z2-7]{55}"/);
    expect(await host.run("stat", "--format", "%a %U", "/var/lib/homelab-deploy-listener/nats.nk")).toBe(
      `600 ${listener}\n`,
    );
    await host.run("systemctl", "stop", "confined-listener");
    expect(await host.run("systemctl", "show", "--property=Result", "--value", "confined-listener")).toBe(
      "success\n",
    );
  });

  // systemd hands a connection to an instance of the template. Without restartIfChanged = false a switch that changes the
  // template stops the instance, and cannot start it again: nobody is connected any more.
  test.each([
    ["left alone as the module has it", "X-RestartIfChanged=false", 0],
    ["restarted as by default", "", 4],
  ])("an instance whose template a switch changes is %s", async (_, line, exitCode) => {
    const name = exitCode === 0 ? "kept" : "lost";
    const unitsOf = (seconds: number): SystemSpecification["units"] => ({
      [`${name}.socket`]: `[Socket]\nListenStream=/run/${name}.sock\nAccept=true\n`,
      [`${name}@.service`]: `[Service]\n${line}\nStandardInput=socket\nExecStart=/bin/sleep ${seconds}\n`,
    });
    const specification = (seconds: number): SystemSpecification => ({
      etc: { "homelab-deploy/host.json": policy },
      units: { "homelab-deploy-listener.service": daemon(), ...unitsOf(seconds) },
    });
    const [before, after] = await lab.build("web01", [specification(1000), specification(1001)]);
    if (before === undefined || after === undefined) throw new Error("no system was built");
    await lab.give(host, before);
    await lab.give(host, after);
    await host.run(`${before}/bin/switch-to-configuration`, "test");
    await host.run("systemctl", "start", `${name}.socket`);
    const holding = host.exec([
      nodeInHost,
      "--eval",
      `require("net").connect("/run/${name}.sock").on("close", () => process.exit(0)).resume();`,
    ]);
    const instances = async () =>
      host.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", `${name}@*`);
    await expect.poll(instances).toContain(`${name}@`);
    const switched = await host.exec([`${after}/bin/switch-to-configuration`, "test"]);
    expect(switched.exitCode, switched.stdout + switched.stderr).toBe(exitCode);
    expect((await instances()).includes(`${name}@`)).toBe(exitCode === 0);
    await host.run("systemctl", "stop", `${name}.socket`, `${name}@*`);
    await holding;
  });

  test("the name that systemd gives a connection is the one that the command reads", async () => {
    await write(
      "probe@.service",
      renderSection("Service", { StandardOutput: "socket", ExecStart: "/bin/echo %i" }),
    );
    await write("probe.socket", renderSection("Socket", { ListenStream: "/run/probe.sock", Accept: true }));
    await host.run("systemctl", "daemon-reload");
    await host.run("systemctl", "start", "probe.socket");
    const script = `console.log(process.pid); require("net").connect("/run/probe.sock").pipe(process.stdout);`;
    const [pid, instance = ""] = (await host.run(nodeInHost, "--eval", script)).split("\n");
    expect(peerOfInstance(instance)).toBe(Number(pid));
  });
});
