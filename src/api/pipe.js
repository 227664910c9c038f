"use strict";
// Bodies that pass through. A stream whose chunks no script makes has a `native` source: as long as nothing has read it,
// Rust can carry its chunks to a response by itself, and the script hears of it again when that is over.

(function (nano) {
  const { Reader } = nano.streams;
  const { uponPromise } = nano.primordials;

  /**
   * Has `stream` sent as the body of the response to `token`, whose head is out; false if a script must see to that.
   * Ends with one of the steps `close()`, `leave()` (the client has left) and `error(e)`.
   */
  function pipe(stream, token, { close, leave, error }) {
    const source = stream.native;
    if (source === undefined || stream.disturbed) return false;
    const piped = source.pipe(token);
    if (piped === undefined) return false;
    new Reader(stream);
    stream.disturbed = true;
    const end = (whole) => {
      // What the app does to the source meanwhile counts: it may have aborted its fetch.
      if (stream.state === "errored") {
        error(stream.storedError);
      } else if (!whole) {
        leave();
      } else {
        source.end();
        close();
      }
    };
    if (piped === false) end(false);
    else uponPromise(piped, end, (reason) => {
      if (stream.state === "readable") stream.controller.error(reason);
      error(reason);
    });
    return true;
  }

  nano.pipe = pipe;
});
