// What our key may do on NATS, found out without doing it: our messages name a stream that does not exist, so the
// server judges the key and then refuses to store (header Nats-Expected-Stream).
import { headers, PermissionViolationError, type NatsConnection } from "@nats-io/transport-node";
import {
  builderKey,
  builderStatusSubject,
  deployEventSubject,
  deployOutputSubject,
  hostStateKey,
  live,
  orderSubject,
} from "../../protocol/subjects.ts";
import type { BuildId, BuilderName } from "../../protocol/names.ts";
import type { Connection } from "../connect/connection.ts";
import type { HostAddress } from "../deploy-bus.ts";
import { storedSubject } from "../jetstream-api.ts";
import { probedStream } from "../message-ids.ts";
import { importedReplies } from "./permissions.ts";

/** Whose key it should be; a reader only looks. */
export type ProbedRole =
  | { readonly role: "reader" | "client" | "updater" }
  | { readonly role: "builder"; readonly name: BuilderName }
  | ({ readonly role: "listener" } & HostAddress);

export interface Probe {
  readonly action: "publish" | "subscribe";
  readonly subject: string;
  /** What does not work without it. */
  readonly purpose: string;
}

export interface ProbeResult extends Probe {
  readonly isAllowed: boolean;
}

const timeoutMs = 1000;

/** @param nobody an id that no build has */
export function probesOf(who: ProbedRole, nobody: BuildId): readonly Probe[] {
  const publish = (subject: string, purpose: string): Probe => ({ action: "publish", subject, purpose });
  const subscribe = (subject: string, purpose: string): Probe => ({ action: "subscribe", subject, purpose });
  const reading = [
    subscribe(live("build-events.*"), "following builds"),
    subscribe(live("build-logs.*.*"), "following logs"),
    subscribe("build-progress.*", "showing progress"),
  ];
  switch (who.role) {
    case "reader":
      return reading;
    case "client":
    case "updater":
      return [
        ...reading,
        publish("build.any.all", "asking for builds"),
        publish(`build-control.${nobody}`, "cancelling builds"),
        ...(who.role === "updater"
          ? [publish("update-events.homelab-deploy-doctor", "telling of updates")]
          : []),
      ];
    case "listener":
      return [
        subscribe(live(orderSubject(who)), "hearing of orders"),
        publish(deployEventSubject(who), "reporting what it does with orders"),
        publish(deployOutputSubject(who), "showing the output of activations"),
        publish(hostStateKey(who), "reporting what it runs"),
      ];
    case "builder":
      return [
        ...reading,
        publish(`build-events.${nobody}`, "saying what happens to builds"),
        publish(`build-logs.${nobody}.0`, "storing logs"),
        publish(`build-progress.${nobody}`, "telling progress"),
        publish("build.any.all", "building new commits of polled branches"),
        publish(builderKey(who.name), "telling that it is there"),
        subscribe("build-control.*", "being told to cancel"),
        subscribe(builderStatusSubject(who.name), "being asked for its status"),
        publish(importedReplies.replace(">", "homelab-deploy.doctor"), "answering for its status"),
      ];
  }
}

export async function probePermissions(
  connection: Connection,
  probes: readonly Probe[],
): Promise<readonly ProbeResult[]> {
  const { nats } = connection;
  return Promise.all(
    probes.map(async (probe) => ({
      ...probe,
      isAllowed: await (probe.action === "publish"
        ? mayPublish(nats, storedSubject(connection, probe.subject))
        : maySubscribe(nats, probe.subject)),
    })),
  );
}

/** Whether the server lets this through; it stores nothing. */
export async function mayPublish(nats: NatsConnection, subject: string): Promise<boolean> {
  const header = headers();
  header.set("Nats-Expected-Stream", probedStream);
  try {
    await nats.request(subject, "", { timeout: timeoutMs, headers: header });
    return true;
  } catch (error) {
    // No answer, or nobody there to answer, is what comes after the server let the message through.
    return !isViolation(error);
  }
}

export async function maySubscribe(nats: NatsConnection, subject: string): Promise<boolean> {
  let isRefused = false;
  const subscription = nats.subscribe(subject, {
    callback: (error) => {
      isRefused ||= isViolation(error);
    },
  });
  await nats.flush();
  if (!isRefused) subscription.unsubscribe();
  return !isRefused;
}

const isViolation = (error: unknown): boolean =>
  error instanceof PermissionViolationError ||
  (error instanceof Error && error.cause instanceof PermissionViolationError);
