/**
 * A pretend bank: the shopper's browser is sent there with an order, and the bank's page posts it back to the shop. That is
 * a request across sites, as the return from 3-D Secure is: cookies that are `SameSite=Lax` do not come with it.
 */
import { type Listener, listen, readBody } from "../shops/http.ts";

/** @param returnUrl where the payment is told, as browsers know it */
export async function createBank(host: string, port: number, returnUrl: () => string): Promise<Listener> {
  return listen(
    (request, response) => {
      const told = async () => {
        const body = await readBody(request);
        const orderId = new URLSearchParams(body?.toString("utf8") ?? "").get("order_id") ?? "";
        const isOrder = request.method === "POST" && /^[\w-]{1,64}$/.test(orderId);
        response.writeHead(isOrder ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
        response.end(isOrder ? bankPage(orderId, returnUrl()) : "");
      };
      void told().catch(() => response.destroy());
    },
    host,
    port,
  );
}

function bankPage(orderId: string, returnUrl: string): string {
  const head = `<meta charset="utf-8"><title>Bank</title><link rel="icon" href="data:,">`;
  const form = `<form method="post" action="${returnUrl}"><input type="hidden" name="order_id" value="${orderId}">`;
  return `<!doctype html><html lang="en"><head>${head}</head><body><h1>Bank</h1>${form}<button id="paid">Pay</button></form></body></html>\n`;
}
