/** SPIFFE id of a role: the name of a URI in a certificate. */
export const roleId = (trustDomain: string, role: string): string => `spiffe://${trustDomain}/role/${role}`;

/**
 * Roles that a certificate names, from its subject alternative names as Node writes them. A name with characters that
 * could pass for a separator is quoted there and therefore is no role.
 */
export function rolesInNames(names: string | undefined, trustDomain: string): ReadonlySet<string> {
  const prefix = `URI:${roleId(trustDomain, "")}`;
  const roles = (names ?? "").split(", ").filter((name) => name.startsWith(prefix));
  return new Set(roles.map((name) => name.slice(prefix.length)));
}
