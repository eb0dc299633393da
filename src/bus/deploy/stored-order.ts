import type { StoredOrder } from "../deploy-bus.ts";
import type { StoredMessage } from "../stored-messages.ts";

/** Whatever is stored there: only its signatures say whether it is an order. */
export const storedOrder = (message: StoredMessage | undefined): StoredOrder | undefined =>
  message && { envelope: message.data, sequence: message.sequence, storedAt: message.storedAt };
