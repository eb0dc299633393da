import type { Log } from "../../base/log.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import type { BuildId } from "../../protocol/names.ts";
import { decodeLogChunk } from "./log-chunk-message.ts";
import { logMessageId, messageIdOf } from "../message-ids.ts";
import type { StoredMessage } from "../stored-messages.ts";

/** All logs of a build. */
export const logSubjects = (id: BuildId): string => `build-logs.${id}.*`;

/** Gives the chunks of a build's logs, each once. A chunk that the stream lost shows as a jump of `index`. */
export interface LogOrder {
  /** Undefined for a chunk that was given before, that cannot be read or that no builder wrote. */
  accept(message: StoredMessage): LogChunk | undefined;
}

export function createLogOrder(log: Log): LogOrder {
  const nextIndexes = new Map<number, number>();
  return {
    accept(message) {
      const chunk = decodeLogChunk(message);
      if (chunk === undefined || messageIdOf(message.headers) !== logMessageId(chunk)) {
        const { subject, sequence } = message;
        log.warn({ subject, sequence }, "this is not a log chunk of a builder and is left out");
        return undefined;
      }
      if (chunk.index < (nextIndexes.get(chunk.log) ?? 0)) return undefined;
      nextIndexes.set(chunk.log, chunk.index + 1);
      return chunk;
    },
  };
}
