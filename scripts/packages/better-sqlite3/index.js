/**
 * better-sqlite3 in the version that this Node.js runs, for us and for Prisma. Version 13 needs Node-API 10
 * (Node.js 22.14): in an older process it ends in a segmentation fault. Version 12 ends processes of Node.js
 * 24.19 and later when memory is cleared while nothing runs (nodejs/node#65446). npm installs the one of them
 * that fits (docs/decisions/dependencies.md).
 */
const NEEDED =
  Number(process.versions.napi) >= 10 ? 'better-sqlite3-13' : 'better-sqlite3-for-node-20'

try {
  module.exports = require(NEEDED)
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND' || !error.message.includes(NEEDED)) throw error
  throw new Error(
    `The SQLite driver for Node.js ${process.versions.node} is not installed: run npm ci with this Node.js`,
    { cause: error },
  )
}
