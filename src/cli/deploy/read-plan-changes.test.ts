import { expect, test } from "vitest";
import { somePath } from "../../../test/support/deploy-orders.ts";
import { HomelabError } from "../../base/errors.ts";
import { renderPlanChanges } from "../print/pages/plan-changes.ts";
import { plainStyle } from "../print/style.ts";
import { readPlanChanges, type HostChange } from "./read-plan-changes.ts";

const signal = new AbortController().signal;
const changing = (host: string) => ({ host, from: somePath("old"), to: somePath("new") });
const changeOf = (host: string): HostChange => ({
  host,
  packages: [{ name: "linux", removed: ["6.6.1"], added: ["6.6.2"] }],
  reboot: ["kernel"],
  bytesToFetch: 120 * 1024 ** 2,
});

test("what changes on each host, in their order; what it runs already is left out", async () => {
  const same = { host: "nas", from: somePath("new"), to: somePath("new") };
  const changes = await readPlanChanges(
    [changing("web02"), same, changing("web01"), { host: "db1", to: somePath("new") }],
    async (host) => changeOf(host),
    signal,
  );
  expect(renderPlanChanges(changes, plainStyle)).toMatchInlineSnapshot(`
    "
    What changes:
      web02: 1 package (linux 6.6.1 -> 6.6.2); up to 120 MiB to fetch; needs a reboot for kernel
      web01: 1 package (linux 6.6.1 -> 6.6.2); up to 120 MiB to fetch; needs a reboot for kernel
      not read: db1 (it has not reported what it runs)
    "
  `);
});

test("it is bounded in hosts and in time, and says what was not read and why", async () => {
  const many = Array.from({ length: 25 }, (_, index) => changing(`host${index}`));
  const read = async (host: string, _: unknown, __: unknown, until: AbortSignal): Promise<HostChange> => {
    if (host === "host0") throw new HomelabError("config", "no cache is configured");
    if (host === "host1")
      await new Promise((_resolve, reject) =>
        until.addEventListener("abort", () => reject(until.reason as Error)),
      );
    return changeOf(host);
  };
  const changes = await readPlanChanges(many, read, signal, 50);
  const why = new Map(changes.unread.map((each) => [each.host, each.why]));
  expect(why.get("host0")).toBe("no cache is configured");
  expect(why.get("host1")).toBe("there was no time");
  expect(why.get("host24")).toBe("only 20 hosts are read");
});

test("a bug while reading is not called a host that could not be read", async () => {
  const broken = async (): Promise<HostChange> => {
    throw new TypeError("a bug");
  };
  await expect(readPlanChanges([changing("web01")], broken, signal)).rejects.toThrow("a bug");
});
