export { defineConfig } from './config/define.js';
export type {
  BackupInfo,
  BackupsConfig,
  ClusterConfig,
  Duration,
  ExecOptions,
  Executor,
  GateContext,
  GateHook,
  Hook,
  HookContext,
  HookLogin,
  Hooks,
  MigrateByDriver,
  MigrateHook,
  Migrator,
  PlacementFunction,
  PlacementTemplate,
  ProjectContext,
  RunDefaults,
  SecretsCommand,
  SecretsConfig,
  SecretsDirectory,
  SecretsFunctions,
  SqlMigrations,
  SqlMigrationsOptions,
  StoredSecret,
  StoreSecret,
  TenancyConfig,
  TenancyConfigFunction,
  Throttle,
  ThrottleContext,
  ThrottleHook,
  UrlSource,
} from './config/types.js';
export { type CreateTenancyOptions, createTenancy } from './create-tenancy.js';
export { EXIT, type ExitCode } from './errors/define.js';
export { isTenancyError, TenancyError, type TenancyErrorCode } from './errors.js';
export type { RunCommand, RunEvent, StampedRunEvent, StepName } from './events.js';
export type { FindingCode, FindingSeverity, FindingStatus } from './finding.js';
export type { TenantSelection } from './fleet/selection.js';
export type { TenantDb } from './migrations/migration.js';
export type { OutcomeCounts, OutcomeError, TenantOutcome, TenantOutcomeType } from './outcome.js';
export type { AuditActor, AuditEvent, Backup, ChainHead, Run, TenantFilter, TenantSummary } from './registry/registry.js';
export type { DrainReason, RunStop } from './run-stop.js';
export type { AuditReader } from './runs/audit/open-audit.js';
export type { AuditBreak, AuditDamage, AuditVerification, VerifyAuditOptions } from './runs/audit/verify-audit.js';
export type { RunReport } from './runs/report.js';
export type { VerifyReport } from './runs/verify/verify-run.js';
export type { Tenancy, TenancyOptions } from './tenancy.js';
export type { DriverName, Lease, Placement, Tenant, TenantFailure, TenantId, TenantLogin, TenantSeed, TenantStatus } from './tenant.js';
export type { Shard } from './util/shard.js';
