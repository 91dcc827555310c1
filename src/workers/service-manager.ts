import { execFile } from 'node:child_process'
import type { Logger } from '../observability/logger.js'

/** The first descriptor that systemd hands over (sd_listen_fds). */
const FIRST_SOCKET = 3

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

/** Tells systemd how far the service is, when it wants to know (Type=notify). */
export function tellServiceManager(state: '--ready' | '--stopping', logger: Logger): void {
  if (!process.env['NOTIFY_SOCKET']) return
  execFile('systemd-notify', [state, `--pid=${process.pid}`], (error) => {
    if (error) logger.warn({ err: error }, 'systemd-notify failed')
  })
}
