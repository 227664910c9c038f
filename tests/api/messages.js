// HTML §9.4 (channel messaging) and §9.5 (broadcasting).
import { equal, ok, same, throws } from "./assert.js";

const next = (target, type = "message") =>
  new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

export const tests = {
  async "messages are cloned, and wait until the port is started"() {
    const { port1, port2 } = new MessageChannel();
    const message = { list: [1] };
    port1.postMessage(message);
    port1.postMessage("second");
    message.list.push(2);
    const received = [];
    await new Promise((done) => {
      port2.onmessage = (event) => {
        received.push(event.data);
        ok(event instanceof MessageEvent && event.isTrusted && event.target === port2);
        if (received.length === 2) done();
      };
    });
    same(received, [{ list: [1] }, "second"]);
  },
  async "ports and buffers are transferred"() {
    const { port1, port2 } = new MessageChannel();
    const inner = new MessageChannel();
    inner.port2.postMessage("early");
    const buffer = new ArrayBuffer(3);
    const arrival = next(port2);
    port2.start();
    port1.postMessage({ port: inner.port1, buffer }, [inner.port1, buffer]);
    const { data, ports } = await arrival;
    equal(buffer.byteLength, 0);
    equal(data.buffer.byteLength, 3);
    equal(ports.length, 1);
    ok(Object.isFrozen(ports) && ports[0] === data.port && data.port !== inner.port1);
    const early = next(data.port);
    data.port.start();
    equal((await early).data, "early");
    throws("DataCloneError", () => port1.postMessage(null, [inner.port1]));
    throws("DataCloneError", () => port1.postMessage(null, { transfer: [port1] }));
    throws("DataCloneError", () => port1.postMessage(inner.port2));
    throws(TypeError, () => port1.postMessage(null, [1]));
    throws(TypeError, () => port1.postMessage(null, 1));
    throws(TypeError, () => port1.postMessage());
  },
  async "what cannot be cloned moves nothing"() {
    const { port1, port2 } = new MessageChannel();
    const inner = new MessageChannel();
    const buffer = new ArrayBuffer(3);
    throws("DataCloneError", () => port1.postMessage(() => {}, [inner.port1, buffer]));
    equal(buffer.byteLength, 3);
    const arrival = next(inner.port2);
    inner.port2.start();
    inner.port1.postMessage("still here");
    equal((await arrival).data, "still here");
    port2.close();
  },
  async "a closed port says so to the other"() {
    const { port1, port2 } = new MessageChannel();
    const closing = next(port2, "close");
    port1.close();
    await closing;
    port1.postMessage("nobody");
    port2.postMessage("nobody");
    throws("DataCloneError", () => structuredClone(port1, { transfer: [port1] }));
  },
  "the classes are as the standard has them"() {
    throws(TypeError, () => new MessagePort());
    throws(TypeError, () => new MessageEvent("x", { ports: [1] }));
    throws(TypeError, () => new MessageEvent("x", { source: {} }));
    const { port1 } = new MessageChannel();
    const event = new MessageEvent("x", { data: 1, ports: [port1], source: port1, lastEventId: 2 });
    same([event.data, event.origin, event.lastEventId, event.source === port1], [1, "", "2", true]);
    event.initMessageEvent("y", false, false, 5);
    same([event.type, event.data, event.ports.length], ["y", 5, 0]);
  },
  async "channels of one name hear each other"() {
    const [one, two, other] = ["a", "a", "b"].map((name) => new BroadcastChannel(name));
    other.onmessage = one.onmessage = () => {
      throw new Error("nothing is for it");
    };
    const arrival = next(two);
    one.postMessage({ x: 1 });
    same((await arrival).data, { x: 1 });
    for (const channel of [one, two, other]) channel.close();
    throws("InvalidStateError", () => one.postMessage(1));
    throws(TypeError, () => new BroadcastChannel());
  },
};
