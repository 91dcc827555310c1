import type { Report } from '../runner.js'
import { curlOf } from './curl.js'
import { count } from './summary.js'

/** Everything, for other programs; members are only ever added. */
export function jsonReport(report: Report): string {
  const results = report.results.map((result) => ({
    ...result,
    exchanges: result.exchanges.map((exchange) => ({ ...exchange, curl: curlOf(exchange) })),
  }))
  return `${JSON.stringify({ ...report, counts: count(report.results), results }, null, 2)}\n`
}
