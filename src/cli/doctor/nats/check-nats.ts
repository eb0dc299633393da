// NATS as this machine reaches it: the connection, the streams, and who builds.
import { hasCode } from "../../../base/errors.ts";
import type { BuildReader } from "../../../bus/bus.ts";
import type { Connection } from "../../../bus/connect/connection.ts";
import {
  inspectAccounts,
  sharedAccountError,
  type AccountLayout,
} from "../../../bus/server/inspect-accounts.ts";
import {
  checkStreams,
  describeDifference,
  type Finding as StreamFinding,
} from "../../../bus/server/setup.ts";
import { presence, type BuilderStatus } from "../../../protocol/builder-status.ts";
import { formatBytes, formatDuration } from "../../../words/duration.ts";
import { checkVersion } from "../known-holes.ts";
import { findingOf, ok, wrong, type Finding } from "../finding.ts";

export function describeServer(connection: Connection): Finding[] {
  const version = connection.nats.info?.version;
  const server: Finding = {
    check: "NATS server",
    state: "ok",
    message: [
      `connected to ${connection.nats.getServer()}, nats-server ${version ?? "of an unknown version"}`,
      ...(connection.jetstreamDomain === undefined ? [] : [`JetStream domain ${connection.jetstreamDomain}`]),
    ].join(", "),
  };
  return [server, ...checkVersion("nats-server", version ?? "")];
}

export async function checkAccounts(connection: Connection): Promise<Finding> {
  const check = "NATS accounts";
  try {
    return describeAccounts(await inspectAccounts(connection));
  } catch (error) {
    return findingOf(check, error);
  }
}

function describeAccounts(layout: AccountLayout): Finding {
  const check = "NATS accounts";
  switch (layout) {
    case "separate":
      return { check, state: "ok", message: "clients have an account of their own" };
    case "shared": {
      const { message, hint = "" } = sharedAccountError();
      return { check, state: "wrong", message, hint };
    }
    case "open":
      return {
        check,
        state: "warning",
        message: "this key may do everything on the server; so may everybody, if it has no users",
        hint: "give the server users with the least rights: homelab-deploy nats config",
      };
  }
}

export interface StreamsCheck {
  readonly finding: Finding;
  /** Whether there is anything to read or store in. */
  readonly areThere: boolean;
  /** False in a cluster where nobody leads them, which was waited for: whoever asks for more would wait as long again. */
  readonly areLed: boolean;
}

export async function checkStreamSettings(
  connection: Connection,
  signal: AbortSignal,
): Promise<StreamsCheck> {
  try {
    const found = await checkStreams(connection, 1, signal);
    const areThere = found.every(({ state }) => state !== "missing");
    return { finding: judgeStreams(found), areThere, areLed: true };
  } catch (error) {
    const areLed = !hasCode(error, "NATS_NO_LEADER", "NATS_TIMEOUT");
    return { finding: findingOf("NATS streams", error), areThere: false, areLed };
  }
}

/** One command sets up or repairs all of them, so they are one finding. */
export function judgeStreams(found: readonly StreamFinding[]): Finding {
  const check = "NATS streams";
  const missing = found.filter(({ state }) => state === "missing");
  const weaker = found
    .filter(({ state }) => state === "weaker")
    .map(({ object, differences }) => `${object}: ${differences.map(describeDifference).join(", ")}`);
  if (missing.length === 0 && weaker.length === 0)
    return ok(check, `all ${found.length} are as they should be`);
  const none =
    missing.length === 0 ? [] : [`there is no ${missing.map(({ object }) => object).join(", no ")}`];
  const command = weaker.length === 0 ? "nats setup" : "nats setup --repair";
  const advice = `run with the admin's key: homelab-deploy ${command}`;
  // Builders of this release work without what an older one did not have.
  if (weaker.length === 0 && missing.every(({ optional }) => optional === true))
    return { check, state: "warning", message: `${none.join("; ")}; builders work without`, hint: advice };
  return wrong(check, [...none, ...weaker].join("; "), advice);
}

export async function checkBuilders(reader: BuildReader, now: Date, signal: AbortSignal): Promise<Finding[]> {
  try {
    const statuses = await reader.listBuilders(signal);
    if (statuses.length === 0) {
      return [
        {
          check: "builders",
          state: "wrong",
          message: "no builder was ever seen",
          hint: "start one: homelab-deploy builder --config FILE",
        },
      ];
    }
    const findings = statuses.flatMap((status) => describeBuilder(status, now));
    const isOnline = findings.some(({ check, state }) => check.startsWith("builder ") && state === "ok");
    return isOnline ? findings : findings.map((finding) => ({ ...finding, state: "wrong" as const }));
  } catch (error) {
    return [findingOf("builders", error)];
  }
}

/** Below this share of the disk a builder soon fails. */
const lowDisk = 0.1;

function describeBuilder(status: BuilderStatus, now: Date): Finding[] {
  const { name, version, nixVersion, systems, builds, disk } = status;
  const age = now.getTime() - Date.parse(status.at);
  const check = `builder ${name}`;
  if (age > presence.goneAfterMs) {
    return [
      {
        check,
        state: "warning",
        message: `was last seen ${formatDuration(age)} ago`,
        hint: `look at it on its machine: systemctl status homelab-deploy-builder`,
      },
    ];
  }
  const doing = builds.length === 0 ? "idle" : builds.length === 1 ? "1 build" : `${builds.length} builds`;
  const findings: Finding[] = [
    {
      check,
      state: "ok",
      message: `homelab-deploy ${version}, Nix ${nixVersion}, ${systems.join(" ")}, ${doing}`,
    },
  ];
  if (disk !== undefined && disk.availableBytes < disk.totalBytes * lowDisk) {
    findings.push({
      check: `disk of ${name}`,
      state: "warning",
      message: `${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)} are left`,
      hint: "collect garbage there, or make the disk larger",
    });
  }
  return findings;
}
