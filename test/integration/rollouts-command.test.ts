// `rollouts` and `deploy` of several hosts, with a real NATS server with the generated permissions, and a deployer that
// answers and appends what the test wants.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test as base } from "vitest";
import type { BuilderBus } from "../../src/bus/bus.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { decodeRequest } from "../../src/protocol/request.ts";
import { accepted, anEvent, finished } from "../support/builds.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import { createDeployerBus } from "../../src/bus/rollout/create-deployer-bus.ts";
import type { DeployerBus } from "../../src/bus/rollout-bus.ts";
import type { StartAnswer, StartRequest } from "../../src/protocol/rollout/start-request.ts";
import { foldRollout } from "../../src/protocol/rollout/rollout.ts";
import type { RolloutId } from "../../src/protocol/rollout/rollout-events.ts";
import { exitCodeOfError, renderError } from "../../src/cli/print/error.ts";
import { plainStyle } from "../../src/cli/print/style.ts";
import { createCommandContext, runCommand } from "../support/command-context.ts";
import { somePath } from "../support/deploy-orders.ts";
import { someHostState } from "../support/fake-deploy-bus.ts";
import { playRollout, type PlayedRollout } from "../support/played-rollout.ts";
import { aRolloutId, rolloutRepo as repo, testSeal } from "../support/rollout-events.ts";
import { startRolesServer, testHosts } from "../support/start-roles-server.ts";

interface Lab {
  readonly deployer: DeployerBus;
  readonly builder: BuilderBus;
  /** Appends to the rollout's log what is played and not stored yet. */
  tell(played: PlayedRollout): Promise<void>;
  /** @param interruptAt Ctrl-C is pressed once standard error has this */
  run(args: readonly string[], interruptAt?: string): Promise<Result>;
}
interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const signal = (): AbortSignal => AbortSignal.timeout(120_000);

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }): Promise<Lab> => {
  const stack = new AsyncDisposableStack();
  onCleanup(() => stack.disposeAsync());
  const directory = await mkdtemp(join(tmpdir(), "rollouts-command-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const server = stack.use(await startRolesServer());
  for (const [user, role] of [
    ["listener", "web"],
    ["neighbour", "db"],
  ] as const) {
    await using listener = await server.connect(user);
    const state = someHostState({ ...testHosts[user], role, tier: "prod", at: new Date().toISOString() });
    await createListenerBus(listener, testHosts[user]).putHostState(state, signal());
  }
  const connection = stack.use(await server.connect("deployer", { role: "daemon" }));
  const deployer = createDeployerBus(connection, testSeal);
  const config = join(directory, "config.json");
  await writeFile(
    config,
    JSON.stringify({ nats: { servers: [server.url], ...server.settingsOf("operator") } }),
  );
  const building = stack.use(await server.connect("builder1"));
  return {
    deployer,
    builder: createBuilderBus(building),
    async tell({ id, events }) {
      const { events: stored, sequence } = await deployer.readRollout(id, signal());
      let after = sequence;
      for (const event of events.slice(stored.length)) {
        after = (await deployer.appendRolloutEvent(event, after, signal())) ?? -1;
      }
    },
    async run(args, interruptAt) {
      let interrupt = (): void => undefined;
      const nothing = () => () => undefined;
      const { context, said } = createCommandContext({
        environment: { HOME: directory, HOMELAB_DEPLOY_CONFIG: config },
        json: args.includes("--json"),
        signals: {
          onInterrupt(listener) {
            interrupt = listener;
            return () => undefined;
          },
          onTerminate: nothing,
          onSuspend: nothing,
          received: () => undefined,
        },
      });
      const write = context.err.write.bind(context.err);
      const err = {
        write(text: string) {
          const written = write(text);
          if (interruptAt !== undefined && text.includes(interruptAt)) interrupt();
          return written;
        },
      };
      try {
        return { exitCode: await runCommand({ ...context, err }, ...args), ...said };
      } catch (error) {
        err.write(renderError(error, { style: plainStyle, debug: false }));
        return { exitCode: exitCodeOfError(error), ...said };
      }
    },
  };
});

/** Answers until the test is over; what was asked, plans apart. */
async function answering(
  lab: Lab,
  answer: (request: StartRequest) => Promise<StartAnswer>,
): Promise<StartRequest[]> {
  const over = new AbortController();
  onTestFinished(() => over.abort(new Error("over")));
  const asked: StartRequest[] = [];
  lab.deployer.answerStarts(
    repo,
    async (request) => {
      if (request.planOnly !== true) {
        asked.push(request);
        return answer(request);
      }
      const commit = "9c41e7f".padEnd(40, "0") as never;
      return {
        type: "plan",
        commit,
        waves: [{ name: "canary", manual: false, oneByOne: false }],
        hosts: [
          {
            host: testHosts.listener.host,
            wave: 0,
            path: somePath("new"),
            from: somePath("old"),
            isNeeded: false,
            failedUnits: [],
          },
          {
            host: testHosts.neighbour.host,
            wave: 0,
            isNeeded: false,
            failedUnits: [],
            leftOut: "held",
            detail: "its disk is full",
          },
        ],
        policy: playRollout().rollout().policy,
      };
    },
    over.signal,
  );
  // Its subscription has reached the server.
  await lab.deployer.rolloutIds(signal());
  return asked;
}

const lastLine = (text: string): unknown => JSON.parse(text.trim().split("\n").at(-1) ?? "");

test("without a deployer several hosts are ordered one after another, and it says so", async ({ lab }) => {
  const planned = await lab.run(["deploy", "--tier", "prod", "--plan"]);
  expect(planned.stderr).toContain("No deployer answers for servers: this command orders host after host.");
  expect(planned.stdout).toContain("no builder has stated it");
  const none = await lab.run(["deploy", "--role", "mail"]);
  expect(none).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("the role mail") });
  const retried = await lab.run(["rollouts", "retry", "last"]);
  expect(retried).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("there is no rollout yet") });
});

test("a plan of the deployer is shown, and exits with who is held", async ({ lab }) => {
  const asked = await answering(lab, async () => ({ type: "accepted", rollout: aRolloutId() }));
  const planned = await lab.run(["deploy", "--all", "--repo", "servers", "--plan"]);
  expect(planned).toMatchObject({ exitCode: 4 });
  expect(planned.stdout).toContain("9c41e7f on 1 of 2 hosts in 1 wave: at most 5 at a time");
  expect(planned.stdout).toContain("held: its disk is full");
  expect(planned.stdout).toContain("not read: web1.lan");
  const json = await lab.run(["deploy", "--all", "--repo", "servers", "--plan", "--json"]);
  expect(lastLine(json.stdout)).toMatchObject({ waves: [{ name: "canary" }], hosts: [{}, {}], changes: {} });
  expect(asked).toEqual([]);
  const unconfirmed = await lab.run(["deploy", "--all"]);
  expect(unconfirmed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--yes") });
  expect(asked).toEqual([]);
});

test("a rollout is followed to its end, in lines and in JSON, and exits with how it ended", async ({
  lab,
}) => {
  const [first, second] = [aRolloutId(1), aRolloutId(2)];
  const ids: RolloutId[] = [first, second];
  const asked = await answering(lab, async () => {
    const id = ids.shift() ?? first;
    const played = playRollout({}, { id }).canary();
    await lab.tell(played);
    await lab.tell(
      id === first
        ? played.add(700, { type: "finished", outcome: "completed-with-absent" })
        : played
            .orders(650, "web01")
            .ends(690, "web01", { outcome: "rolled-back", code: "UNHEALTHY" })
            .add(700, { type: "finished", outcome: "failed" }),
    );
    return { type: "accepted", rollout: id };
  });
  const done = await lab.run(["deploy", "web*", "db1", "--repo", "servers", "--yes", "--reason", "openssl"]);
  expect(done).toMatchObject({ exitCode: 3 });
  expect(asked[0]).toMatchObject({ hosts: ["web1.lan", "db1"], reason: "openssl" });
  expect(done.stderr).toContain(`The deployer of servers runs this as rollout ${first}`);
  expect(done.stderr).toContain("testvm01: completed");
  expect(done.stdout).toContain("completed, with hosts absent");
  const failed = await lab.run(["deploy", "--all", "--yes", "--json", "--at-once"]);
  expect(failed.exitCode).toBe(1);
  expect(asked[1]).toMatchObject({ atOnce: true });
  expect(asked[1]?.hosts).toBeUndefined();
  expect(lastLine(failed.stdout)).toMatchObject({
    type: "finished",
    exitCode: 1,
    rollout: { id: second, status: "failed" },
  });
  expect(await lab.run(["rollouts", "show", first])).toMatchObject({ exitCode: 3 });
  const detached = await lab.run(["rollouts", "retry", second, "--yes", "--detach"]);
  expect(detached).toMatchObject({ exitCode: 0, stdout: `${first}\n` });
  expect(asked[2]).toMatchObject({ retryOf: second, hosts: ["web01", "web02", "laptop", "gitea"] });
});

test("--build builds the chosen hosts first, and deploys what that build stated", async ({ lab }) => {
  const running = lab.run(["deploy", "--role", "db", "--build"]);
  const delivery = await lab.builder.nextRequest(signal());
  const { id } = decodeRequest(delivery?.data ?? new Uint8Array());
  if (id === undefined) throw new Error("the request has no id");
  expect(delivery?.subject).toBe("build.servers.db1");
  const log = await lab.builder.openEventLog(id, [], signal());
  for (const [index, body] of [accepted, finished].entries()) {
    await log.append(anEvent(id, index, body), signal());
  }
  await delivery?.ack(signal());
  // It stated nothing, so nothing is deployed.
  expect(await running).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining("no builder has stated it"),
  });
});

test("what the deployer refuses is an error with its code", async ({ lab }) => {
  await answering(lab, async () => ({
    type: "refused",
    code: "DOWNGRADE",
    detail: "it is older",
    hint: "no",
  }));
  const refused = await lab.run(["deploy", "--all", "--yes"]);
  expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("it is older") });
});

test("one that runs is paused, resumed and aborted, and Ctrl-C leaves it to the deployer", async ({
  lab,
}) => {
  const id = aRolloutId(100);
  const played = playRollout({}, { id })
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .orders(645, "web01");
  await lab.tell(played);
  const stateOf = async () => foldRollout((await lab.deployer.readRollout(id, signal())).events);
  const shown = await lab.run(["rollouts", "show"]);
  expect(shown).toMatchObject({ exitCode: 0 });
  expect(shown.stdout).toContain("waits for web01 (role web, one at a time)");
  const paused = await lab.run(["rollouts", "pause", "--reason", "lunch"]);
  expect(paused).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`Rollout ${id} is paused`) });
  expect(await stateOf()).toMatchObject({ paused: { reason: "lunch" } });
  expect((await lab.run(["rollouts", "list"])).stdout).toMatch(/paused by .*: lunch/);
  const left = await lab.run(["rollouts", "show", id, "--follow"], "web01: ordered");
  expect(left.stderr).toContain("the rollout stays paused until a person decides");
  expect(left.stderr).toContain(`homelab-deploy rollouts resume ${id}`);
  expect(await lab.run(["rollouts", "resume", id.slice(0, 12)])).toMatchObject({ exitCode: 0 });
  const followed = await lab.run(["rollouts", "show", id, "--follow"], "web01: ordered");
  expect(followed).toMatchObject({ exitCode: 130 });
  expect(followed.stderr).toContain("the deployer continues the rollout");
  expect(followed.stderr).toContain(`homelab-deploy rollouts abort ${id}`);
  const aborted = await lab.run(["rollouts", "abort", "--json"]);
  expect(JSON.parse(aborted.stdout)).toEqual({ rollout: id, action: "abort", changed: true });
  expect((await stateOf())?.aborted).toBeDefined();
  const over = await lab.run(["rollouts", "pause", id]);
  expect(over).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("is being aborted") });
  expect(await lab.run(["rollouts", "show", "0000"])).toMatchObject({ exitCode: 2 });
});
