/** For `node --require`: the process asks the name server of CUTOVER_TEST_NAME_SERVER in place of the system's. */
const { Resolver } = require("node:dns");

const server = process.env.CUTOVER_TEST_NAME_SERVER;
for (const name of ["resolve4", "resolve6"]) {
  const resolve = Resolver.prototype[name];
  Resolver.prototype[name] = function (...args) {
    this.setServers([server]);
    return resolve.apply(this, args);
  };
}
