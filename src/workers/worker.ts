import cluster from 'node:cluster'
import type { Logger } from '../observability/logger.js'
import type { RunningServer } from '../server.js'
import type { FromWorker, ToWorker, WorkerOrders } from './messages.js'

/** Resolves when the supervisor has said what this process needs to know. */
export function ordersOfWorker(): Promise<WorkerOrders> {
  return new Promise((resolve) => {
    const hear = (message: ToWorker) => {
      if (!('orders' in message)) return
      process.off('message', hear)
      resolve(message.orders)
    }
    process.on('message', hear)
    tell('at your orders')
  })
}

/** Ends when the supervisor says so, or is no longer there; signals from outside go through it. */
export function followSupervisor(server: RunningServer, logger: Logger): void {
  const stop = (reason: string, isReplaced: boolean) => {
    server.stop(reason, { isReplaced, isPatient: true }).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('message', (message: ToWorker) => {
    if ('stop' in message) stop(message.stop.reason, message.stop.isReplaced)
    if ('ping' in message) tell('pong')
  })
  // Else Node.js would end this process in the middle of what it does when the supervisor is gone.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
  process.on('disconnect', () => stop('the supervisor ended', false))
  process.on('SIGTERM', () => tell('leave'))
  // From a terminal it comes to all processes at once; the supervisor decides.
  process.on('SIGINT', () => undefined)
  process.on('SIGHUP', () => undefined)
}

/** Where nobody listens any more, the end of the channel says so. */
function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, () => undefined)
}
