import { expect, test } from "vitest";
import { scriptBuild, storePath } from "../../../test/support/build-events.ts";
import type { FullHostName } from "../../protocol/names.ts";
import { explainNoLogs, selectLogs, type LogSelection } from "./select-logs.ts";

const { state } = scriptBuild()
  .accepted(["web01", "gitea", "nas", "media", "router"])
  .derivationFailed("gitea-1.26.1", ["gitea"], { log: 9 })
  .derivationFailed("unlogged-1", ["gitea"], { log: undefined })
  .hostsFinished("unchanged", ["nas"])
  .hostsFinished("eval-failed", ["media"])
  .hostsFinished("built", ["web01"]);

const logs = [
  { log: 1, kind: "live", name: "linux-6.18.4", hosts: ["nixos-servers/web01"] },
  { log: 2, kind: "live", name: "etc", hosts: ["nixos-servers/web01", "nixos-servers/gitea"] },
  { log: 3, kind: "live", name: "systemd-259" },
  { log: 4, kind: "live", name: "gitea-1.26.1", hosts: ["nixos-servers/gitea"] },
  { log: 5, kind: "live", name: "unlogged-1", hosts: ["nixos-servers/gitea"] },
  { log: 9, kind: "full", name: "gitea-1.26.1" },
] as const satisfies readonly { kind: string; hosts?: readonly FullHostName[]; log: number; name: string }[];

function selected(selection: LogSelection): number[] {
  const hosts = new Map(logs.flatMap((log) => ("hosts" in log ? [[log.log, log.hosts] as const] : [])));
  const isSelected = selectLogs(state, selection, hosts);
  return logs
    .filter(({ log, kind, name }) => isSelected({ log, kind, drvPath: storePath(`${name}.drv`) }))
    .map(({ log }) => log);
}

test.each<[LogSelection, number[]]>([
  [{}, [1, 2, 3, 5, 9]],
  [{ failed: true }, [5, 9]],
  [{ host: "web01" }, [1, 2, 3]],
  [{ host: "nixos-servers/web01" }, [1, 2, 3]],
  [{ host: "gitea" }, [2, 3, 5, 9]],
  [{ host: "gitea", failed: true }, [5, 9]],
  [{ host: "web01", failed: true }, []],
  [{ host: "nas" }, []],
  [{ host: "media" }, []],
  [{ derivation: "linux-6.18.4" }, [1]],
  [{ derivation: "linux" }, [1]],
  [{ derivation: "linu" }, []],
  [{ derivation: storePath("etc.drv") }, [2]],
  [{ derivation: storePath("etc.drv").split("/").at(-1) ?? "" }, [2]],
  [{ derivation: "/nix/store/other-etc.drv" }, []],
  [{ derivation: "linux", host: "gitea" }, []],
])("%j selects the logs %j", (selection, numbers) => {
  expect(selected(selection)).toEqual(numbers);
});

test("a host that is not in the build is said, with the one that may be meant", () => {
  expect(() => selected({ host: "gitae" })).toThrow(
    expect.objectContaining({ code: "UNKNOWN_HOST", hint: "did you mean gitea?" }),
  );
  expect(() => selected({ host: "nixos/gitea" })).toThrow("is not in build");
});

test.each<[LogSelection, string]>([
  [{}, "No log is stored"],
  [{ failed: true }, "No derivation of this build failed."],
  [{ host: "nas" }, "everything that it needs was there already"],
  [{ host: "web01" }, "everything that it needs was there already, or was fetched"],
  [{ host: "media" }, "its evaluation failed"],
  [{ host: "media", failed: true }, "its evaluation failed"],
  [{ host: "web01", failed: true }, "No derivation that web01 needs failed"],
  [{ host: "router" }, "stored yet"],
  [{ derivation: "x\u001b[2J" }, String.raw`"x\u001b[2J"`],
])("when nothing is there for %j: %s", (selection, reason) => {
  expect(explainNoLogs(state, selection)).toContain(reason);
});
