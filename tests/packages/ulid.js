import { decodeTime, isValid, monotonicFactory, ulid, ulidToUUID, uuidToULID } from "ulid";

const next = monotonicFactory();

export default {
  fetch() {
    const id = ulid();
    return Response.json({
      id,
      age: Date.now() - decodeTime(id),
      dated: ulid(1469918176385).slice(0, 10),
      valid: [isValid(id), isValid("not one")],
      ordered: Array.from({ length: 100 }, () => next()),
      uuid: ulidToUUID("01ARYZ6S41TSV4RRFFQ69G5FAV"),
      back: uuidToULID(ulidToUUID(id)) === id,
    });
  },
};
