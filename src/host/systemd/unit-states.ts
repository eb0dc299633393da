// What `systemctl show` prints of units: `Name=value` lines, an empty line between two units.
import type { UnitState } from "../system.ts";

/** Kinds that a system consists of. Devices, slices and scopes come and go with what uses them. */
export const unitPatterns = [
  "*.service",
  "*.socket",
  "*.timer",
  "*.path",
  "*.mount",
  "*.automount",
  "*.swap",
  "*.target",
] as const;

export const unitProperties = [
  "Id",
  "Names",
  "ActiveState",
  "SubState",
  "Result",
  "Type",
  "NRestarts",
  "TriggeredBy",
  "WantedBy",
  "RequiredBy",
] as const;

const maxUnits = 20_000;

/** Blocks without a name, and those after the first 20,000, are left out. */
export function parseUnitStates(text: string): readonly UnitState[] {
  const blocks = text
    .split(/\n{2,}/, maxUnits)
    .map(parseProperties)
    .filter((each) => (each.get("Id") ?? "") !== "");
  const running = new Set(
    blocks.filter((each) => each.get("ActiveState") === "active").map((each) => each.get("Id") ?? ""),
  );
  const someRuns = (names: string | undefined): boolean =>
    (names ?? "").split(" ").some((name) => running.has(name));
  return blocks.map((each) => ({
    name: each.get("Id") ?? "",
    names: namesOf(each),
    active: each.get("ActiveState") ?? "",
    sub: each.get("SubState") ?? "",
    result: each.get("Result") ?? "",
    type: each.get("Type") ?? "",
    restarts: parseCount(each.get("NRestarts")),
    isTriggered: someRuns(each.get("TriggeredBy")),
    isWanted: someRuns(each.get("WantedBy")) || someRuns(each.get("RequiredBy")),
  }));
}

function parseProperties(block: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of block.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) properties.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return properties;
}

function namesOf(properties: ReadonlyMap<string, string>): readonly string[] {
  const aliases = (properties.get("Names") ?? "").split(" ").filter((name) => name !== "");
  return [...new Set([properties.get("Id") ?? "", ...aliases])];
}

const parseCount = (text = "0"): number => (/^\d{1,9}$/.test(text) ? Number(text) : 0);

/** Parses `systemctl list-jobs --plain --no-legend`: `812 nginx.service start waiting`. */
export function parseJobs(text: string): readonly { readonly id: string; readonly unit: string }[] {
  return text.split("\n").flatMap((line) => {
    const { id, unit } = /^\s*(?<id>\d{1,10})\s+(?<unit>\S+)\s/.exec(line)?.groups ?? {};
    return id === undefined || unit === undefined ? [] : [{ id, unit }];
  });
}
