# A static library, the addon on it, and (native_tests=1) a test executable on it: node-gyp configure -- -Dnative_tests=1
# `sanitize` is a configuration of the same Makefile: make -C build BUILDTYPE=Tsan builddir=../build-tsan depthcast_tests
# tools/native_build.mjs does both.
{
  'variables': {
    'native_tests%': 0,
    # Warnings are errors in a source tree, not where the published package meets a compiler we have not seen.
    'warnings_as_errors%': '<!(node tools/sources.mjs --development)',
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags!': ['-Wno-unused-parameter'],
    'cflags': [
      '-fPIC',
      '-fvisibility=hidden',
      '-Wall',
      '-Wextra',
      '-Wshadow',
      '-isystem', '<(module_root_dir)/.generated/include',
    ],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-fno-exceptions'],
    'cflags_cc': ['-std=c++20', '-fno-rtti', '-Wconversion'],
    'link_settings': {
      'libraries': ['-pthread', '-lrt'],
    },
    # node-gyp itself defines Release (-O3) and Debug (-g -O0).
    'default_configuration': 'Release',
    'configurations': {
      'Release': {
        'cflags': ['-g1'],
        'conditions': [
          ['warnings_as_errors==1', {
            # GCC 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651).
            'cflags': ['-Werror', '-Wno-restrict'],
          }],
        ],
      },
      # No -Werror below: sanitizers make GCC see warnings that are not there.
      'Asan': {
        # vptr checks need RTTI.
        'cflags': ['-g1', '-O2', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize=vptr',
                   '-fno-sanitize-recover=all'],
        'ldflags': ['-fsanitize=address,undefined'],
      },
      'Tsan': {
        'cflags': ['-g1', '-O2', '-fno-omit-frame-pointer', '-fsanitize=thread'],
        'ldflags': ['-fsanitize=thread'],
      },
    },
  },
  'targets': [
    {
      'target_name': 'depthcast_core',
      'type': 'static_library',
      'sources': ['<!@(node tools/sources.mjs core ingest book encode arbitrate gateway journal io run)'],
    },
    {
      # For engines in C: native/pkgconfig/depthcast-publisher-c.pc names it.
      'target_name': 'depthcast_publisher',
      'type': 'static_library',
      'standalone_static_library': 1,
      'product_prefix': 'lib',
      'sources': ['native/publisher_c/publisher_c.cc'],
    },
    {
      'target_name': 'depthcast',
      'dependencies': ['depthcast_core'],
      'sources': ['<!@(node tools/sources.mjs binding)'],
      'defines': [
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        # A callback that is called while its worker is being terminated cannot throw, and must not abort the process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      # A name lookup may outlive the worker that began it, and runs our code when it ends (native/io/name_lookup.h).
      'ldflags': ['-Wl,-z,nodelete'],
      'cflags': [
        '-isystem', '<(node_root_dir)/include/node',
        '-isystem', '<(module_root_dir)/<!(node -p "require(\'node-addon-api\').include_dir")',
      ],
    },
  ],
  'conditions': [
    ['native_tests==1', {
      'targets': [
        {
          'target_name': 'depthcast_tests',
          'type': 'executable',
          'dependencies': ['depthcast_core'],
          'sources': ['<!@(node tools/sources.mjs test)'],
        },
        {
          'target_name': 'depthcast_perf',
          'type': 'executable',
          'dependencies': ['depthcast_core'],
          'sources': ['<!@(node tools/sources.mjs perf/native)'],
        },
      ],
    }],
  ],
}
