// NATS as this machine reaches it: the connection, the streams, and who builds.
import type { BuildReader } from "../../bus/bus.ts";
import type { Connection } from "../../bus/connect/connection.ts";
import { warningsAbout } from "../../bus/create-builder-bus.ts";
import {
  inspectAccounts,
  sharedAccountError,
  type AccountLayout,
} from "../../bus/server/inspect-accounts.ts";
import { checkStreams, describeDifference, type Finding as StreamFinding } from "../../bus/server/setup.ts";
import { presence, type BuilderStatus } from "../../protocol/builder-status.ts";
import { formatBytes, formatDuration } from "../../words/duration.ts";
import { checkVersion } from "./known-holes.ts";
import { findingOf, type Finding } from "./finding.ts";

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
  const warnings = warningsAbout(version).map((message): Finding => ({
    check: "NATS durability",
    state: "warning",
    message,
    hint: "use nats-server 2.10 or newer with `sync_interval: always`; `homelab-deploy nats config` prints such a configuration",
  }));
  return [server, ...warnings, ...checkVersion("nats-server", version ?? "")];
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

export async function checkStreamSettings(connection: Connection): Promise<Finding[]> {
  try {
    return (await checkStreams(connection)).map(describeStream);
  } catch (error) {
    return [findingOf("NATS streams", error)];
  }
}

function describeStream({ object, state, differences }: StreamFinding): Finding {
  const check = `stream ${object}`;
  switch (state) {
    case "sound":
    case "created":
    case "repaired":
      return { check, state: "ok", message: state };
    case "missing":
      return {
        check,
        state: "wrong",
        message: "it does not exist",
        hint: "run once with the admin's key: homelab-deploy nats setup",
      };
    case "weaker":
      return {
        check,
        state: "wrong",
        message: differences.map(describeDifference).join("; "),
        hint: "run with the admin's key: homelab-deploy nats setup --repair",
      };
  }
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
