/** How V8 looks after the heap of a process that proxies. */
import { setFlagsFromString } from "node:v8";

/**
 * Has every object begin in new space. Once many objects of one place in the code have outlived a collection, as
 * those of requests do on a busy machine, V8 makes the next of them in old space at once (it calls that
 * pretenuring), and keeps to it. Each of them, dead with its request, then keeps alive whatever it refers to until
 * the next full collection. Measured in about every second process: a quarter of all that is allocated, and
 * collections of new space that take eight times as long.
 */
export function startObjectsYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
