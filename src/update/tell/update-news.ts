import {
  decodeUpdateEvent,
  encodeUpdateEvent,
  updateEventId,
  type UpdateEvent,
} from "../../protocol/update-events.ts";
import type { NewsFormat } from "../../notify/outbox.ts";

export const updateNews: NewsFormat<UpdateEvent> = {
  what: "news of an update",
  encode: encodeUpdateEvent,
  decode: decodeUpdateEvent,
  id: updateEventId,
};
