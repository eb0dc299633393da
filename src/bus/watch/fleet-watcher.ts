// For who shows the fleet as it changes: live messages as hints, how full the streams are, and single logs from any
// place. Needs no more rights than reading.
import { parseBuildId } from "../../protocol/names.ts";
import { hostOfSubject, live, logSubject, rolloutIdOfSubject, streams } from "../../protocol/subjects.ts";
import type { FleetWatcher, StoredLog, StreamUse } from "../bus.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { isMissing } from "../connect/nats-errors.ts";
import { openManager } from "../jetstream-api.ts";
import { createLogOrder, logSubjects } from "../logs/log-order.ts";
import { readable } from "../readable.ts";
import { createStreamReader, readStored, type StoredMessage } from "../stored-messages.ts";

export function createFleetWatcher(connection: Connection): FleetWatcher {
  const { nats, log } = connection;
  const logs = createStreamReader(connection, streams.logs);
  const managing = openManager(connection);

  async function streamUse(name: string): Promise<StreamUse | undefined> {
    try {
      const { state, config } = await (await managing).streams.info(name);
      return { name, messages: state.messages, bytes: state.bytes, maxBytes: config.max_bytes };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  return {
    isConnected: () => connection.isConnected(),

    watch(onNews, signal) {
      const subscriptions = [
        nats.subscribe(live("build-events.*"), {
          callback: (error, { subject }) => {
            if (error !== null) return;
            const build = readable(log, () => parseBuildId(subject.split(".").at(-1) ?? ""));
            if (build !== undefined) onNews({ type: "build", build });
          },
        }),
        nats.subscribe(live("update-events.*"), {
          callback: (error) => {
            if (error === null) onNews({ type: "update" });
          },
        }),
        nats.subscribe(live("deploy-events.*.*"), {
          callback: (error, { subject }) => {
            if (error !== null) return;
            const address = readable(log, () => hostOfSubject(subject));
            if (address !== undefined) onNews({ type: "deployment", ...address });
          },
        }),
        nats.subscribe(live("rollout-events.*"), {
          callback: (error, { subject }) => {
            if (error !== null) return;
            const rollout = readable(log, () => rolloutIdOfSubject(subject));
            if (rollout !== undefined) onNews({ type: "rollout", rollout });
          },
        }),
      ];
      const stopListening = connection.onChange((connected) => onNews({ type: "connection", connected }));
      signal.addEventListener(
        "abort",
        () => {
          stopListening();
          for (const subscription of subscriptions) subscription.unsubscribe();
        },
        { once: true },
      );
    },

    streams: async (signal) => {
      const found: StreamUse[] = [];
      for (const name of Object.values(streams)) {
        const use = await call(connection, `look at ${name}`, signal, async () => streamUse(name));
        if (use !== undefined) found.push(use);
      }
      return found;
    },

    async listLogs(build, signal) {
      const filter = logSubjects(build);
      const info = await call(connection, `list the logs of build ${build}`, signal, async () =>
        (await managing).streams.info(streams.logs, {
          subjects_filter: filter,
          deleted_details: false,
          offset: 0,
        }),
      );
      return Object.entries(info.state.subjects ?? {})
        .flatMap(([subject, chunks]): StoredLog[] => {
          const number = subject.split(".").at(-1) ?? "";
          return /^\d{1,9}$/.test(number) ? [{ log: Number(number), chunks }] : [];
        })
        .toSorted((a, b) => a.log - b.log);
    },

    async *readLog(build, number, after, signal) {
      const order = createLogOrder(log);
      const subject = logSubject(build, number);
      const next = async (from: number): Promise<StoredMessage | undefined> =>
        call(connection, `read a log of build ${build}`, signal, async () => logs.next(subject, from));
      for await (const message of readStored(next, after)) {
        const chunk = order.accept(message);
        if (chunk !== undefined) yield { place: message.sequence, chunk };
      }
    },
  };
}
