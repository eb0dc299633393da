// What runs where on the Sunday of `tellSunday`: hosts that are well, and one of each kind that is not.
import { orderId, somePath } from "./deploy-orders.ts";
import { goodDeployment, scriptDeployments } from "./deploy-events.ts";
import { someHostState } from "./fake-deploy-bus.ts";
import type { DashboardLab } from "./dashboard-lab.ts";
import { sampleHosts } from "./dashboard-scenes.ts";

/** @param commit that most hosts run */
export async function tellDeployments(
  lab: DashboardLab,
  { now, commit }: { readonly now: Date; readonly commit: string },
): Promise<void> {
  const ago = (minutes: number): string => new Date(now.getTime() - minutes * 60_000).toISOString();
  const unwell: Readonly<Record<string, object>> = {
    web01: {
      last: {
        order: orderId(2),
        outcome: "rolled-back",
        code: "UNHEALTHY",
        detail: "gitea.service failed",
        at: ago(40),
      },
    },
    gitea: {
      drift: ["hand-made"],
      running: { path: somePath("x"), nixosVersion: "26.05pre", since: ago(300) },
    },
    nas: { reboot: { needed: ["kernel", "initrd"], since: ago(2000) }, booted: { path: somePath("booted") } },
    laptop: { at: ago(400) },
    media: { hold: "no deploys before the fair" },
    router: { order: { id: orderId(3), serial: 9, phase: "checking" } },
    backup: { failedUnits: ["restic-backups-nas.service"] },
  };
  for (const [index, host] of sampleHosts.filter((each) => each !== "testvm02").entries()) {
    await lab.hostIs(
      someHostState({
        host,
        at: now.toISOString(),
        seq: index + 1,
        running: { path: somePath("old"), commit, since: ago(3000) },
        previous: { path: somePath("older"), generation: 11 },
        last: { order: orderId(1), outcome: "completed", at: ago(3000) },
        tier: index % 3 === 0 ? "core" : "prod",
        wave: index % 4,
        store: { freeBytes: (20 + index) * 2 ** 30 },
        boot: { freeBytes: 180 * 2 ** 20 },
        ...unwell[host],
      }),
    );
  }
  const good = goodDeployment(scriptDeployments({ host: "web01", start: ago(3000) }));
  const bad = scriptDeployments({
    host: "web01",
    order: orderId(2),
    firstIndex: good.events.length,
    start: ago(41),
  })
    .add("received", { commit, reason: "the login page is empty" })
    .add("fetching")
    .add("fetched")
    .add("ready", { reboot: ["kernel"] })
    .add("activating")
    .add("activated")
    .add("checking")
    .add("checked", {
      checks: [
        { name: "https://web01.lan/", ok: false, ms: 5003, detail: "HTTP status 502", critical: true },
        { name: "ssh", ok: true, ms: 21, critical: true },
        { name: "backup-age", ok: false, ms: 3, detail: "26 h", critical: false },
      ],
      units: { before: 0, after: 1, new: ["gitea.service"], lost: [] },
    })
    .add("rolling-back")
    .add("finished", { outcome: "rolled-back", code: "UNHEALTHY" });
  await lab.tellDeployment([...good.events, ...bad.events]);
  const open = scriptDeployments({ host: "router", order: orderId(3), start: ago(1) });
  await lab.tellDeployment(
    open.add("received").add("fetching").add("fetched").add("ready").add("activating").events,
  );
}
