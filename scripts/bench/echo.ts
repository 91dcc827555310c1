/** Baseline `echo`: a bare Koa app that parses a JSON body and answers with it. */
import Koa from 'koa'
import getRawBody from 'raw-body'
import type { AddressInfo } from 'node:net'

const app = new Koa()
app.use(async (ctx) => {
  ctx.body = JSON.parse(await getRawBody(ctx.req, { encoding: 'utf8' })) as object
})
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ ready: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
