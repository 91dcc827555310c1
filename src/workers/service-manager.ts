import { execFile } from 'node:child_process'
import type { Logger } from '../observability/logger.js'

/** The first descriptor that systemd hands over (sd_listen_fds). */
const FIRST_SOCKET = 3
/** As many within its patience: one that comes late does no harm. */
const SIGNS_OF_LIFE = 3
const NOTIFY_TIMEOUT_MS = 10_000

/**
 * The socket that systemd opened for the process with this number, or null when it opened none.
 * @see sd_listen_fds(3)
 */
export function socketHandedOver(
  pid: number | undefined,
  environment: NodeJS.ProcessEnv,
): { readonly fd: number } | null {
  const { LISTEN_PID, LISTEN_FDS } = environment
  return LISTEN_FDS === '1' && LISTEN_PID === String(pid) ? { fd: FIRST_SOCKET } : null
}

/**
 * For how many milliseconds at most systemd does without a sign of life from the process with this number,
 * or null when it waits for none.
 * @see sd_watchdog_enabled(3)
 */
export function patienceOfServiceManager(
  pid: number | undefined,
  environment: NodeJS.ProcessEnv,
): number | null {
  const { WATCHDOG_PID, WATCHDOG_USEC } = environment
  const isMeant = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid)
  const ms = Number(WATCHDOG_USEC) / 1000
  return isMeant && ms > 0 ? ms : null
}

/**
 * Tells systemd that the service serves, when it wants to know (Type=notify), and from then on that this
 * process still takes one task after the other (WatchdogSec).
 */
export function tellServing(logger: Logger): void {
  tellServiceManager('--ready', logger)
  const patience = patienceOfServiceManager(process.pid, process.env)
  if (patience === null) return
  const alive = () => tellServiceManager('WATCHDOG=1', logger)
  setInterval(alive, patience / SIGNS_OF_LIFE).unref()
}

export function tellStopping(logger: Logger): void {
  tellServiceManager('--stopping', logger)
}

function tellServiceManager(what: '--ready' | '--stopping' | 'WATCHDOG=1', logger: Logger): void {
  if (!process.env['NOTIFY_SOCKET']) return
  const options = { timeout: NOTIFY_TIMEOUT_MS }
  execFile('systemd-notify', [what, `--pid=${process.pid}`], options, (error) => {
    if (error) logger.warn({ err: error }, 'systemd-notify failed')
  })
}
