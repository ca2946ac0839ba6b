/** A panel of a dashboard: PromQL by the legend of its lines. `$__rate_interval` is Grafana's. */
export interface DashboardPanel {
  readonly title: string;
  /** One of Grafana's units. */
  readonly unit: string;
  readonly queries: Readonly<Record<string, string>>;
}

const perSecond = (metric: string, by?: string): string =>
  `sum${by === undefined ? "" : ` by (${by})`} (rate(${metric}[$__rate_interval]))`;
const share = (within: string): string => {
  const of = (what: string) => `sum(rate(chappe_delivery_messages_total{chappe_within="${what}"}[$__rate_interval]))`;
  return `${of(within)} / ${of("all")}`;
};
const quantile = (at: number, metric: string, by?: string): string =>
  `histogram_quantile(${at}, sum by (${by === undefined ? "" : `${by}, `}le) (rate(${metric}_bucket[$__rate_interval])))`;
const panel = (title: string, unit: string, queries: DashboardPanel["queries"]): DashboardPanel => ({
  title,
  unit,
  queries,
});

/** Dashboards by the name of their file: a title, and panels in the order in which they stand. */
export const dashboards: Readonly<Record<string, { title: string; panels: readonly DashboardPanel[] }>> = {
  "message-slo": {
    title: "Chappe: messages in time",
    panels: [
      panel("Share within 120 ms and 1 s, sender's clock to device", "percentunit", {
        "120 ms (promised 75%)": share("120ms"),
        "1 s": share("1s"),
      }),
      panel("Time to a device", "s", {
        p75: quantile(0.75, "chappe_delivery_age_seconds"),
        p99: quantile(0.99, "chappe_delivery_age_seconds"),
        mean: `${perSecond("chappe_delivery_time_seconds_total")} / sum(rate(chappe_delivery_messages_total{chappe_within="all"}[$__rate_interval]))`,
      }),
      panel("Messages in, and acknowledged by devices", "ops", {
        committed: perSecond('chappe_writer_messages_total{chappe_outcome="committed"}'),
        "device acks": perSecond('chappe_delivery_messages_total{chappe_within="all"}'),
      }),
      panel("Conversations that differ between tiers: must be 0", "short", {
        different: 'sum(chappe_reconcile_conversations_total{chappe_outcome="different"})',
      }),
    ],
  },
  login: {
    title: "Chappe: Login",
    panels: [
      panel("Connections and their limit", "short", {
        "{{instance}}": "sum by (instance) (chappe_login_connections)",
        "limit {{instance}}": "sum by (instance) (chappe_login_connections_limit)",
      }),
      panel("Connections taken and refused", "ops", {
        taken: perSecond("chappe_login_accepted_total"),
        refused: perSecond("chappe_login_refused_total"),
      }),
      panel("Connections that ended, by reason", "ops", {
        "{{chappe_close}}": perSecond("chappe_login_closes_total", "chappe_close"),
      }),
      panel("Packets", "pps", { "{{chappe_direction}}": perSecond("chappe_login_packets_total", "chappe_direction") }),
      panel("Frames", "ops", { "{{chappe_direction}}": perSecond("chappe_login_frames_total", "chappe_direction") }),
      panel("Pushes by outcome", "ops", {
        "{{chappe_outcome}}": perSecond("chappe_login_pushes_total", "chappe_outcome"),
      }),
      panel("Hints to compare, and receipts", "ops", {
        hints: perSecond("chappe_login_hints_total"),
        "receipts {{chappe_outcome}}": perSecond("chappe_login_receipts_total", "chappe_outcome"),
      }),
    ],
  },
  route: {
    title: "Chappe: Route and processes",
    panels: [
      panel("Calls of Route by outcome", "ops", {
        "{{chappe_outcome}}": perSecond("chappe_route_calls_total", "chappe_outcome"),
      }),
      panel("Time from Route's call to the answer", "s", {
        p50: quantile(0.5, "chappe_route_time_seconds"),
        p99: quantile(0.99, "chappe_route_time_seconds"),
      }),
      panel("Hops through a process", "ops", { "{{instance}}": perSecond("chappe_trace_hops_total", "instance") }),
      panel("Delay of the event loop, p99", "s", {
        "{{instance}}": 'max by (instance) (nodejs_eventloop_delay_seconds{chappe_quantile="p99"})',
      }),
      panel("Event loop busy", "percentunit", { "{{instance}}": "max by (instance) (nodejs_eventloop_utilization)" }),
      panel("Processor", "short", { "{{instance}}": perSecond("process_cpu_time_seconds_total", "instance") }),
      panel("Resident memory", "bytes", { "{{instance}}": "sum by (instance) (process_memory_usage_bytes)" }),
      panel("Processes up", "short", { up: "sum(up)" }),
    ],
  },
  "log-and-writers": {
    title: "Chappe: log and writers",
    panels: [
      panel("Messages that wait for the log, and the bound of one partition", "short", {
        "{{instance}}": "sum by (instance) (chappe_proxy_waiting)",
        limit: "max(chappe_proxy_waiting_limit)",
      }),
      panel("Records not committed yet", "short", { "{{instance}}": "sum by (instance) (chappe_writer_lag)" }),
      panel("Messages by outcome", "ops", {
        "{{chappe_outcome}}": perSecond("chappe_writer_messages_total", "chappe_outcome"),
      }),
      panel("Partitions stopped by a damaged record: must be 0", "short", {
        stopped: "sum(chappe_writer_partitions_stopped)",
      }),
    ],
  },
  push: {
    title: "Chappe: push",
    panels: [
      panel("Records of the push log not resolved yet", "short", {
        "{{instance}}": "sum by (instance) (chappe_push_lag)",
      }),
      panel("Events", "ops", { "{{chappe_outcome}}": perSecond("chappe_push_events_total", "chappe_outcome") }),
      panel("Devices reached, recipients offline", "ops", {
        devices: perSecond("chappe_push_devices_total"),
        offline: perSecond("chappe_push_offline_total"),
      }),
      panel("Presence drift", "percentunit", { "{{instance}}": "max by (instance) (chappe_presence_drift)" }),
    ],
  },
  stores: {
    title: "Chappe: stores",
    panels: [
      panel("Calls of engines, p99", "s", {
        "{{chappe_call}}": quantile(0.99, "chappe_engine_time_seconds", "chappe_call"),
      }),
      panel("Messages committed to the store", "ops", {
        committed: perSecond('chappe_writer_messages_total{chappe_outcome="committed"}'),
      }),
      panel("Duplicates and unreadable messages", "ops", {
        duplicate: perSecond('chappe_writer_messages_total{chappe_outcome="duplicate"}'),
        unreadable: perSecond('chappe_writer_messages_total{chappe_outcome="unreadable"}'),
      }),
      panel("Conversations compared over all tiers", "short", {
        "{{chappe_outcome}}": "sum by (chappe_outcome) (chappe_reconcile_conversations_total)",
      }),
    ],
  },
};
