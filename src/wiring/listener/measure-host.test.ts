import { expect, test } from "vitest";
import { signedOrder, somePolicy, somePath } from "../../../test/support/deploy-orders.ts";
import type { EventBody, JournalHead, JournalLine } from "../../deploy/journal.ts";
import { decodeJournalHead, journalVersion } from "../../deploy/journal.ts";
import { memoryOf } from "../../deploy/host-memory.ts";
import { composeHostState } from "../../deploy/listener/compose-host-state.ts";
import { base64Of } from "../../protocol/deploy/order.ts";
import { silentLog } from "../../base/log.ts";
import { createListenerMetrics } from "../../metrics/listener-metrics.ts";
import { measureHost } from "./measure-host.ts";

const start = new Date("2026-11-23T14:00:00.000Z");
const after = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);
const { repo, host } = somePolicy();
const emptyHead: JournalHead = {
  nextIndex: 0,
  serial: 0,
  firstStart: "2026-11-01T00:00:00.000Z",
  completed: [],
  isStuck: false,
};
const { envelope, order } = signedOrder();
const id = order.id;

/** Each event with the second in which it happens. */
const linesOf = (...events: readonly (readonly [number, EventBody])[]): JournalLine[] =>
  events.map(([second, body], index) => ({
    v: journalVersion,
    event: { ...body, repo, host, index, at: after(second).toISOString() },
    bootId: "b",
    ...(body.type === "received" ? { envelope: base64Of(envelope) } : {}),
  }));

const received: EventBody = {
  type: "received",
  order: id,
  kind: "activate",
  action: "switch",
  path: somePath("new"),
  serial: order.serial,
  by: "kai",
};
const begun = [
  [0, received],
  [2, { type: "fetching", order: id, bytes: 1, paths: 1 }],
  [12, { type: "fetched", order: id, ms: 10_000, bytes: 1, paths: 1 }],
  [13, { type: "ready", order: id, reboot: [] }],
  [14, { type: "activating", order: id, epoch: 1, from: somePath("old") }],
] as const satisfies readonly (readonly [number, EventBody])[];
const rolledBack = [
  ...begun,
  [20, { type: "rolling-back", order: id, code: "UNHEALTHY", why: "nginx" }],
  [23, { type: "finished", order: id, outcome: "rolled-back", code: "UNHEALTHY", ms: 23_000 }],
] as const satisfies readonly (readonly [number, EventBody])[];

const journalOf = (lines: readonly JournalLine[], head = emptyHead) => ({
  lines,
  memory: memoryOf(head, lines),
});
const stateOf = (
  journal: ReturnType<typeof journalOf>,
  more: Partial<Parameters<typeof composeHostState>[0]> = {},
) =>
  composeHostState({
    policy: somePolicy(),
    memory: journal.memory,
    paths: {
      running: somePath("old"),
      etcStatic: undefined,
      booted: somePath("old"),
      permanent: { path: somePath("old"), generation: 4 },
      bootDefault: somePath("old"),
      bootId: "b",
    },
    units: [],
    rebootNeeded: [],
    nixosVersion: undefined,
    storeFree: undefined,
    bootFree: undefined,
    version: "1.0.0",
    now: start,
    seq: 1,
    ...more,
  });
const measured = (journal: ReturnType<typeof journalOf>, now = start, more = {}) =>
  measureHost({ journal, state: stateOf(journal, more), isNatsConnected: true, now });

test("a deployment under way has its phases so far, and the last one goes on", () => {
  const { journal } = measured(journalOf(linesOf(...begun)), after(18));
  expect(journal).toMatchObject({ isInProgress: true, ended: [], lastOrderAgeSeconds: 18 });
  expect(journal && Object.fromEntries(journal.phaseSeconds)).toEqual({
    fetching: 12,
    preflight: 1,
    activating: 5,
  });
});

test("one that was rolled back is counted once with its action and code, and takes no more time", () => {
  const { journal } = measured(journalOf(linesOf(...rolledBack)), after(9000));
  expect(journal?.ended).toEqual([{ action: "switch", outcome: "rolled-back", code: "UNHEALTHY", count: 1 }]);
  expect(journal?.isInProgress).toBe(false);
  expect(journal?.phaseSeconds.get("rolling-back")).toBe(3);
});

test("only the newest confirmation is told", () => {
  const lines = linesOf(
    ...begun,
    [20, { type: "confirmed", order: id, ms: 900 }],
    [21, { type: "confirmed", order: id, ms: 250 }],
  );
  expect(measured(journalOf(lines)).journal?.confirmSeconds).toBe(0.25);
  expect(measured(journalOf(linesOf(...begun))).journal?.confirmSeconds).toBeUndefined();
});

test("orders that were refused are counted by their code, also those that nobody can name", () => {
  const refused = { type: "rejected", detail: "", serial: 7 } as const;
  const { journal } = measured(
    journalOf(
      linesOf(
        [0, { ...refused, code: "BAD_SIGNATURE" }],
        [1, { ...refused, code: "BAD_SIGNATURE" }],
        [2, { ...refused, code: "REPLAYED", order: id }],
      ),
    ),
  );
  expect(journal?.rejected).toEqual([
    { code: "BAD_SIGNATURE", count: 2 },
    { code: "REPLAYED", count: 1 },
  ]);
  expect(journal?.isInProgress).toBe(false);
});

test("a journal that was begun again goes on counting", () => {
  const { counts } = memoryOf(emptyHead, linesOf(...rolledBack));
  const head = decodeJournalHead({ v: journalVersion, head: { ...emptyHead, counts } });
  expect(head?.counts).toEqual(counts);
  const { journal } = measured(journalOf(linesOf(...rolledBack), head));
  expect(journal?.ended).toEqual([{ action: "switch", outcome: "rolled-back", code: "UNHEALTHY", count: 2 }]);
});

test.each([undefined, "many", { finished: [{}], rejected: [] }, { finished: [{ count: -1 }] }])(
  "counts that nobody can read (%j) keep no host from deploying",
  (counts) => {
    const head = decodeJournalHead({ v: journalVersion, head: { ...emptyHead, counts } });
    expect(head).toMatchObject({ serial: 0, counts: undefined });
  },
);

test("a hold of the configuration is told from a rollback that failed", () => {
  const stuck = linesOf(...begun, [
    20,
    { type: "finished", order: id, outcome: "rollback-failed", code: "ROLLBACK_FAILED", ms: 1 },
  ]);
  const held = { policy: somePolicy({ hold: "a disk is replaced" }) };
  expect(measured(journalOf([])).state?.holds).toEqual([]);
  expect(measured(journalOf([]), start, held).state?.holds).toEqual(["option"]);
  expect(measured(journalOf(stuck)).state?.holds).toEqual(["rollback-failed"]);
  expect(measured(journalOf(stuck), start, held).state?.holds).toEqual(["option", "rollback-failed"]);
});

async function scrapeOf(journal: ReturnType<typeof journalOf> | undefined, more?: object): Promise<string> {
  const state = more && stateOf(journal ?? journalOf([]), more);
  const measure = async () => measureHost({ journal, state, isNatsConnected: false, now: after(30) });
  const metrics = createListenerMetrics({ repo, host, version: "1.0.0", measure, log: silentLog });
  await metrics.render();
  // What the first one showed is not added to.
  return metrics.render();
}
const names = 'repo="nixos-servers",host="web01"';

test("a host that never deployed has every series already", async () => {
  const scrape = await scrapeOf(journalOf([]), {});
  const has = (series: string) => expect(scrape).toContain(`homelab_deploy_${series}\n`);
  has(`deployments_total{action="switch",outcome="rolled-back",code="UNHEALTHY",${names}} 0`);
  has(`deployments_total{action="reboot",outcome="rollback-failed",code="ROLLBACK_FAILED",${names}} 0`);
  has(`orders_rejected_total{code="UNTRUSTED_SIGNER",${names}} 0`);
  has(`deployment_in_progress{${names}} 0`);
  has(`deployment_duration_seconds{phase="rolling-back",${names}} 0`);
  has(`host_reboot_required{part="kernel",${names}} 0`);
  has(`host_drift{kind="boot-default",${names}} 0`);
  has(`host_hold{cause="rollback-failed",${names}} 0`);
  has(`host_clock_ok{${names}} 1`);
  has(`host_nats_connected{${names}} 0`);
  has(`host_last_order_age_seconds{${names}} Nan`);
  has(`host_confirm_seconds{${names}} Nan`);
  has(`host_running_info{commit="",path="${somePath("old")}",${names}} 1`);
  has(`build_info{component="listener",version="1.0.0",${names}} 1`);
});

test("what happened is in the series, however often it is scraped", async () => {
  const scrape = await scrapeOf(journalOf(linesOf(...rolledBack)), { rebootNeeded: ["kernel"] });
  const line = `deployments_total{action="switch",outcome="rolled-back",code="UNHEALTHY",${names}} 1\n`;
  expect(scrape).toContain(line);
  expect(scrape).toContain(`host_reboot_required{part="kernel",${names}} 1\n`);
  expect(scrape).toContain(`host_last_order_age_seconds{${names}} 30\n`);
});

test("what is not known is no number, and no count falls to 0", async () => {
  const scrape = await scrapeOf(undefined);
  expect(scrape).not.toMatch(/^homelab_deploy_(?:deployments|orders_rejected)_total\{/m);
  expect(scrape).not.toMatch(/^homelab_deploy_host_running_info\{/m);
  expect(scrape).toContain(`homelab_deploy_host_clock_ok{${names}} Nan\n`);
  expect(scrape).toContain(`homelab_deploy_host_hold{cause="option",${names}} Nan\n`);
  expect(scrape).toContain(`homelab_deploy_deployment_in_progress{${names}} Nan\n`);
});

test("a fetch for later is counted, and is no deployment in progress", () => {
  const fetching = signedOrder({ order: { kind: "fetch" } });
  const events = [
    [30, { ...received, order: fetching.order.id, kind: "fetch" }],
    [31, { type: "fetching", order: fetching.order.id, bytes: 1, paths: 1 }],
  ] as const satisfies readonly (readonly [number, EventBody])[];
  const end: EventBody = { type: "finished", order: fetching.order.id, outcome: "fetched", ms: 9 };
  const linesWith = (...more: readonly (readonly [number, EventBody])[]): JournalLine[] =>
    linesOf(...rolledBack, ...events, ...more).map((line) =>
      line.event.order === fetching.order.id && line.event.type === "received"
        ? { ...line, envelope: base64Of(fetching.envelope) }
        : line,
    );
  const during = measured(journalOf(linesWith()), after(40)).journal;
  expect(during?.isInProgress).toBe(false);
  expect(during?.phaseSeconds.get("rolling-back")).toBe(3);
  expect(measured(journalOf(linesWith([50, end]))).journal?.ended).toContainEqual({
    action: "fetch",
    outcome: "fetched",
    code: undefined,
    count: 1,
  });
});
