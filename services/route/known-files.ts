import type { DescFile } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@chappe/gen/proto/buf/validate/validate_pb.ts";
import { file_chappe_mesh_v1_error } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { file_chappe_mesh_v1_options } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";

const known: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  file_buf_validate_validate,
  file_chappe_mesh_v1_error,
  file_chappe_mesh_v1_options,
];

/** Files that a registering server need not bring, by their name in imports. */
export function knownFiles(): readonly (readonly [string, FileDescriptorProto])[] {
  return known.map(({ name, proto }) => [`${name}.proto`, proto]);
}
