/** A library with some members of its own replaced, for one caller; the library itself stays as it is. */
export function overlay<Library extends object>(library: Library, members: Readonly<Record<string, unknown>>): Library {
  const properties = Object.entries(members).map(([name, value]) => [name, { value, enumerable: true }]);
  return Object.create(library, Object.fromEntries(properties) as PropertyDescriptorMap) as Library;
}
